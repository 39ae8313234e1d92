/**
 * PNG and JPEG files as pixels of a declared size: decoded, laid over white, brought to gray or RGB, and averaged down (or
 * repeated up) to width × height. Everything a file may get wrong ends as a reason, never as an exception.
 */
import { createRequire } from "node:module";
import type * as fastPng from "fast-png";
import type * as jpegJs from "jpeg-js";

const load = createRequire(import.meta.url);
/** Loaded with the first image: few models have any, and every start of a server and of a training process would wait. */
const loadPng = () => load("fast-png") as typeof fastPng;
const loadJpeg = () => load("jpeg-js") as typeof jpegJs;

export interface ImageShape {
  readonly width: number;
  readonly height: number;
  /** 1: gray, 3: red, green, blue. */
  readonly channels: 1 | 3;
}
/** Pixels with 1 to 4 channels of 8 bits: gray, gray and alpha, RGB, RGBA. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** Decoding takes about 20 ns a pixel, on the thread that answers requests: larger files are to be reduced by their sender. */
export const IMAGE_PIXEL_LIMIT = 2_000_000;

/** @returns pixels of the declared shape, or why there are none */
export function readImage(bytes: Uint8Array, shape: ImageShape): Uint8Array | string {
  const format = formatOf(bytes);
  if (format === undefined) return "is neither a PNG nor a JPEG file";
  const size = format === "png" ? pngSize(bytes) : jpegSize(bytes);
  if (size === undefined) return `is a ${format.toUpperCase()} file without a size`;
  if (size.width * size.height > IMAGE_PIXEL_LIMIT) {
    return `has ${size.width} × ${size.height} pixels; at most ${IMAGE_PIXEL_LIMIT.toLocaleString("en-US")} are read, so reduce it before it is sent`;
  }
  try {
    return resize(toChannels(format === "png" ? readPng(bytes) : readJpeg(bytes), shape.channels), shape);
  } catch (error) {
    return `is a broken ${format.toUpperCase()} file (${error instanceof Error ? error.message : String(error)})`;
  }
}

function formatOf(bytes: Uint8Array): "png" | "jpeg" | undefined {
  if (bytes.length > 24 && bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47)
    return "png";
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff ? "jpeg" : undefined;
}

function pngSize(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  return width > 0 && height > 0 ? { width, height } : undefined;
}

/** The size stands in the start-of-frame segment; the segments before it are passed over by their lengths. */
function jpegSize(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      return width > 0 && height > 0 ? { width, height } : undefined;
    }
    at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

function readPng(bytes: Uint8Array): Pixels {
  const { convertIndexedToRgb, decode } = loadPng();
  const png = decode(bytes, { checkCrc: true });
  const { width, height } = png;
  if (png.palette !== undefined) {
    const rgb = convertIndexedToRgb(png);
    return { width, height, channels: rgb.length / (width * height), data: Uint8Array.from(rgb) };
  }
  const data = png.depth === 16 ? Uint8Array.from(png.data, (value) => value >> 8) : scaleDepth(png.data, png.depth);
  return { width, height, channels: png.channels, data };
}

/** Grays of 1, 2 and 4 bits count to their own maximum. */
function scaleDepth(data: ArrayLike<number>, depth: number): Uint8Array {
  if (depth >= 8) return Uint8Array.from(data);
  const factor = 255 / ((1 << depth) - 1);
  return Uint8Array.from(data, (value) => value * factor);
}

function readJpeg(bytes: Uint8Array): Pixels {
  const { width, height, data } = loadJpeg().decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: IMAGE_PIXEL_LIMIT / 1e6,
    maxMemoryUsageInMB: 256,
  });
  return { width, height, channels: 3, data };
}

/** Gray by the weights of ITU-R BT.601, which are those of JPEG. What is transparent shows white. */
function toChannels(from: Pixels, channels: 1 | 3): Pixels {
  const { width, height, data } = from;
  const own = from.channels;
  const count = width * height;
  if (data.length !== count * own) throw new Error(`${data.length} values for ${count} pixels of ${own} channels`);
  const out = new Uint8Array(count * channels);
  const hasAlpha = own === 2 || own === 4;
  for (let i = 0; i < count; i++) {
    const alpha = hasAlpha ? (data[i * own + own - 1] as number) / 255 : 1;
    const over = (value: number) => 255 + (value - 255) * alpha;
    const red = over(data[i * own] as number);
    const green = own < 3 ? red : over(data[i * own + 1] as number);
    const blue = own < 3 ? red : over(data[i * own + 2] as number);
    if (channels === 1) out[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    else {
      out[i * 3] = Math.round(red);
      out[i * 3 + 1] = Math.round(green);
      out[i * 3 + 2] = Math.round(blue);
    }
  }
  return { width, height, channels, data: out };
}

/** Each target pixel is the mean of the area it covers, parts of pixels by their share. */
function resize(from: Pixels, { width, height, channels }: ImageShape): Uint8Array {
  if (from.width === width && from.height === height) return from.data;
  const out = new Uint8Array(width * height * channels);
  const columns = shares(from.width, width);
  const rows = shares(from.height, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const row of rows[y] as readonly Share[]) {
          for (const column of columns[x] as readonly Share[]) {
            const value = from.data[(row.at * from.width + column.at) * channels + c] as number;
            sum += row.share * column.share * value;
          }
        }
        out[(y * width + x) * channels + c] = Math.min(255, Math.round(sum));
      }
    }
  }
  return out;
}

interface Share {
  readonly at: number;
  readonly share: number;
}

/** For each of `to` places, which of `from` source places it covers, and how much of its mean each makes. */
function shares(from: number, to: number): readonly (readonly Share[])[] {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * step, (i + 1) * step];
    const list: Share[] = [];
    for (let at = Math.floor(start); at < Math.min(from, Math.ceil(end - 1e-9)); at++) {
      list.push({ at, share: (Math.min(end, at + 1) - Math.max(start, at)) / step });
    }
    return list;
  });
}

/** Pixels of a shape as a PNG file. */
export function writePng(pixels: Uint8Array, { width, height, channels }: ImageShape): Uint8Array {
  return loadPng().encode({ width, height, channels, depth: 8, data: pixels });
}
