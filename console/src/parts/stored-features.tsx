/**
 * Images and vectors as the server stores them, made visible: an image is `px8:` and its deflated pixels in the size of the
 * definition, a vector `f32:` and its little-endian floats.
 */
import { useParams } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useApi } from "../api/queries.ts";

const IMAGE = "px8:";
const VECTOR = "f32:";
/** Below it a picture is a handful of large pixels, which smoothing would blur into nothing. */
const SMALL = 128;

export const isStoredImage = (value: unknown): value is string => typeof value === "string" && value.startsWith(IMAGE);
export const isStoredVector = (value: unknown): value is string =>
  typeof value === "string" && value.startsWith(VECTOR);

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

export function readVector(stored: string): readonly number[] {
  const { buffer, byteLength } = bytesOf(stored.slice(VECTOR.length));
  const view = new DataView(buffer);
  return Array.from({ length: Math.floor(byteLength / 4) }, (_, i) => view.getFloat32(i * 4, true));
}

async function readPixels(stored: string): Promise<Uint8Array> {
  const deflated = new Blob([bytesOf(stored.slice(IMAGE.length))]).stream();
  const inflated = deflated.pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Gray or red, green, blue, whichever the number of values says. Undefined where it is of another size than the definition now has. */
function pictureOf(pixels: Uint8Array, { width, height }: Size): ImageData | undefined {
  const channels = pixels.length / (width * height);
  if (channels !== 1 && channels !== 3) return undefined;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[i * 4 + c] = pixels[i * channels + (channels === 1 ? 0 : c)] as number;
    image.data[i * 4 + 3] = 255;
  }
  return image;
}

function useSize(name: string): Size | undefined {
  const { model } = useParams({ strict: false });
  const detail = useApi("GET /models/:model", { model: model ?? "" }, { enabled: model !== undefined }).data;
  const spec = detail?.description.features.find((feature) => feature.name === name)?.spec;
  const [width, height] = [Number(spec?.["width"]), Number(spec?.["height"])];
  return width > 0 && height > 0 ? { width, height } : undefined;
}

export function StoredImage({ name, value }: { readonly name: string; readonly value: string }) {
  const size = useSize(name);
  const [width, height] = [size?.width, size?.height];
  const canvas = useRef<HTMLCanvasElement>(null);
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    if (width === undefined || height === undefined) return undefined;
    let isCurrent = true;
    readPixels(value).then(
      (pixels) => {
        if (!isCurrent) return;
        const picture = pictureOf(pixels, { width, height });
        if (picture === undefined) setProblem("It was stored in another size than the definition has now.");
        else canvas.current?.getContext("2d")?.putImageData(picture, 0, 0);
      },
      () => setProblem("It cannot be read."),
    );
    return () => {
      isCurrent = false;
    };
  }, [value, width, height]);
  if (problem !== undefined) return <p className="dimmed small">{`${name}: no picture. ${problem}`}</p>;
  return (
    <canvas
      ref={canvas}
      width={width ?? 1}
      height={height ?? 1}
      className="item-picture"
      data-small={(width ?? 0) < SMALL}
      role="img"
      aria-label={name}
    />
  );
}
