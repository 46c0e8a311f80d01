import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from '@jest/globals';

type Layer = Record<string, string>;
const src = resolve('src');
const layers = JSON.parse(readFileSync(join(src, 'rooms.json'), 'utf8')) as Layer[];
const layerOf = new Map(layers.flatMap((layer, n) => Object.keys(layer).map((room) => [room, n] as const)));

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((item) => {
    const path = join(folder, item.name);
    return item.isDirectory() ? files(path) : /\.tsx?$/.test(item.name) ? [path] : [];
  });
}

const roomOf = (path: string): string => relative(src, path).split('/')[0] ?? '';

/** Every relative import in the source as [from, to]. */
const arrows = files(src).flatMap((file) => {
  const found = [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)];
  return found.map((match) => [file, resolve(dirname(file), match[1] ?? '')] as const);
});

test('every folder of src is a room of the table', () => {
  const rooms = readdirSync(src).filter((name) => statSync(join(src, name)).isDirectory());
  expect(rooms.filter((room) => !layerOf.has(room))).toEqual([]);
});

test('a room imports only from earlier lines of the table', () => {
  const wrong = arrows.filter(([from, to]) => {
    const [a, b] = [roomOf(from), roomOf(to)];
    return a !== b && (layerOf.get(b) ?? Infinity) >= (layerOf.get(a) ?? -1);
  });
  expect(wrong.map(([from, to]) => `${relative(src, from)} -> ${relative(src, to)}`)).toEqual([]);
});

test('another room is entered by its front door only', () => {
  const wrong = arrows.filter(([from, to]) => roomOf(from) !== roomOf(to) && relative(src, to) !== join(roomOf(to), 'index.ts'));
  expect(wrong.map(([from, to]) => `${relative(src, from)} -> ${relative(src, to)}`)).toEqual([]);
});

test('no file is over 500 lines', () => {
  const long = files(src).filter((file) => readFileSync(file, 'utf8').split('\n').length > 500);
  expect(long.map((file) => relative(src, file))).toEqual([]);
});
