/** One example as a person can judge it: pictures as pictures, texts as texts, long vectors as squares, the rest as a table. */
import { useEffect, useRef } from "react";
import type { TaskView } from "../../../src/server/contract.ts";
import { isStoredImage, isStoredVector, readVector, StoredImage } from "../parts/stored-features.tsx";

type Value = TaskView["features"][string];

const IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;
/** Longer than a table cell reads well. */
const LONG_TEXT = 80;
const isStored = (value: Value) => isStoredImage(value) || isStoredVector(value);
/** So many numbers side by side are a picture or a signal, not facts. */
const VECTOR = 16;

export function ItemView({
  task,
  isSmall = false,
}: {
  readonly task: Pick<TaskView, "features">;
  readonly isSmall?: boolean;
}) {
  const entries = Object.entries(task.features);
  const stored = entries.flatMap(([name, value]) => (isStoredImage(value) ? [[name, value] as const] : []));
  const vectors = entries.flatMap(([name, value]) => (isStoredVector(value) ? [[name, value] as const] : []));
  const images = entries.filter(([, value]) => typeof value === "string" && IMAGE.test(value));
  const texts = entries.filter(
    ([, value]) => typeof value === "string" && value.length > LONG_TEXT && !IMAGE.test(value) && !isStored(value),
  );
  const numbers = entries.filter(([, value]) => typeof value === "number");
  const vector = numbers.length >= VECTOR && numbers.length > entries.length / 2 ? numbers : [];
  const drawn = new Set([...stored, ...vectors, ...images, ...texts, ...vector].map(([name]) => name));
  const rest = entries.filter(([name]) => !drawn.has(name));
  return (
    <div className={isSmall ? "item item-small" : "item"}>
      {images.map(([name, value]) => (
        <img key={name} className="item-image" src={String(value)} alt={name} />
      ))}
      {stored.map(([name, value]) => (
        <StoredImage key={name} name={name} value={value} />
      ))}
      {vectors.map(([name, value]) => (
        <VectorView key={name} name={name} values={readVector(value)} />
      ))}
      {vector.length === 0 ? null : <VectorView values={vector.map(([, value]) => Number(value))} />}
      {texts.map(([name, value]) => (
        <blockquote key={name} className="item-text">
          {rest.length + texts.length > 1 ? <span className="dimmed small">{name}</span> : null}
          <p>{String(value)}</p>
        </blockquote>
      ))}
      {rest.length === 0 ? null : (
        <dl className="item-facts">
          {rest.slice(0, isSmall ? 6 : undefined).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{show(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

function show(value: Value) {
  if (value === null) return <span className="dimmed">missing</span>;
  if (typeof value === "number") return Number.isInteger(value) ? value.toLocaleString("en-US") : value.toPrecision(5);
  return String(value);
}

/** A square where the length is one (8 × 8 pixels), else a strip; dark to light from the smallest to the largest value. */
function VectorView({ name, values }: { readonly name?: string; readonly values: readonly number[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const side = Math.sqrt(values.length);
  const isSquare = Number.isInteger(side);
  const width = isSquare ? side : values.length;
  const height = isSquare ? side : 1;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const low = Math.min(...values);
    const span = Math.max(...values) - low || 1;
    const image = context.createImageData(width, height);
    values.forEach((value, i) => {
      const shade = Math.round((255 * (value - low)) / span);
      image.data.set([shade, shade, shade, 255], i * 4);
    });
    context.putImageData(image, 0, 0);
  }, [values, width, height]);
  return (
    <canvas
      ref={canvas}
      width={width}
      height={height}
      className={isSquare ? "item-square" : "item-strip"}
      role="img"
      aria-label={`${name === undefined ? "" : `${name}: `}${values.length} numbers drawn as ${isSquare ? `a square of ${side} by ${side}` : "a strip"}`}
    />
  );
}
