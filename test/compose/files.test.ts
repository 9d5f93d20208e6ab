/** What can be said of the compose files without Docker; and docs/brief.md against the brief. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { unless } from '../support/prerequisite.ts';
import { briefCommands, commandsOf, readBriefPage } from './brief.ts';

const compose = readFileSync('deploy/compose.yaml', 'utf8');
const cluster = readFileSync('deploy/cluster.yaml', 'utf8');
const dockerfile = readFileSync('deploy/Dockerfile', 'utf8');

const commands = briefCommands();
test('docs/brief.md has every command of the brief, and no other', {
  skip: unless(commands !== null, 'needs ../shared/brief.md'),
}, () => {
  const { asWritten, replaced } = readBriefPage();
  const blocks = [...asWritten, ...replaced.map(({ brief }) => brief)];
  assert.deepEqual(blocks.flatMap(commandsOf).sort(), commands!.toSorted());
  for (const { brief, here } of replaced) assert.notEqual(here, brief);
});

test('every port is published on this machine alone, and all that the brief names are', () => {
  const published = [...`${compose}${cluster}`.matchAll(/ports: (?:!override )?\[(.*?)\]/g)];
  const ports = published.flatMap(([, list = '']) =>
    list.split(', ').filter((text) => text !== ''),
  );
  const inside = ports.map((port) => /^"127\.0\.0\.1:(\d+):\1"$/.exec(port)?.[1]);
  const named = ['8080', '8081', '8082', '8083', '9092', '6379', '5432', '9090', '3000'];
  assert.deepEqual(inside.sort(), [...named, '9094', '9095'].sort());
  assert.equal(`${compose}${cluster}`.match(/ports:/g)!.length, ports.length + 1, 'one is reset');
});

test('memory is bounded for every service, and adds up to no more than 4 GB', () => {
  const limits = [...compose.matchAll(/^ {4}mem_limit: (\d+)(m|g)$/gm)];
  assert.equal(limits.length, compose.match(/^ {2}[\w-]+:\n {4}<<: \*/gm)!.length);
  const megabytes = limits.map(([, number, unit]) => Number(number) * (unit === 'g' ? 1024 : 1));
  const sum = megabytes.reduce((total, each) => total + each, 0);
  assert.ok(sum <= 4096, `${sum} MB`);
});

test('images are pinned to a version', () => {
  const images = [...compose.matchAll(/^ {4}image: (.*)$/gm)].map(([, image]) => image!);
  const bases = [...dockerfile.matchAll(/^FROM (\S+:\S+)/gm)].map(([, image]) => image!);
  assert.equal(images.length, 5);
  assert.equal(bases.length, 1);
  for (const image of [...images, ...bases]) assert.match(image, /^[\w./-]+:v?\d+\.\d+(\.\d+)?/);
});

test('the image runs on the Node.js that the tests run on', () => {
  const lock = readFileSync('package-lock.json', 'utf8');
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version: string }> };
  const { version } = packages['node_modules/node']!;
  assert.match(dockerfile, new RegExp(`^FROM node:${version.replaceAll('.', '\\.')}-`, 'm'));
});
