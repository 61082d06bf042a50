// A digit that is read wrongly is corrected, and learned.
// node finetune.mjs PROGRAM FOLDER; needs MNIST in $DIGITNET_DATA
import {execFileSync} from 'node:child_process';
import {appendFileSync, readFileSync, rmSync, truncateSync} from 'node:fs';
import {Server, check, finish} from './server.mjs';

const [program, folder] = process.argv.slice(2);
const corrections = `${folder}/learned`;
rmSync(corrections, {recursive: true, force: true});
const json = {'Content-Type': 'application/json'};
const run = (...options) => execFileSync(program, ['--corrections', corrections, ...options], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
const refused = (...options) => {
  try {
    return run(...options);
  } catch (error) {
    return error.stderr;
  }
};

// A sign that MNIST does not have, and that somebody wants to be a 5: a hollow square, a little different each time.
const square = (i) => Array.from({length: 784}, (_, p) => {
  const x = p % 28, y = Math.floor(p / 28), a = 6 + i % 3, b = 21 - i % 2;
  return x >= a && x <= b && y >= a && y <= b && (x < a + 2 || x > b - 2 || y < a + 2 || y > b - 2) ? 255 : 0;
});

check(refused('--finetune', '--epochs', '1').includes('There are no corrections'), 'without corrections there is nothing to learn');
let server = await Server.start(program, '--corrections', corrections);
for (let i = 0; i < 6; ++i) {
  const response = await fetch(`${server.address}/corrections`, {method: 'POST', headers: json, body: JSON.stringify({image: square(i), label: 5})});
  check((await response.json()).corrections === i + 1, `correction ${i + 1} is kept`);
}
await server.stop();

// The process ended after it wrote the images and before it wrote the labels.
const images = `${corrections}/images.idx3-ubyte`, labels = `${corrections}/labels.idx1-ubyte`;
const written = readFileSync(labels);
written[7] -= 1;
truncateSync(labels);
appendFileSync(labels, written.subarray(0, -1));
server = await Server.start(program, '--corrections', corrections);
const response = await fetch(`${server.address}/corrections`, {method: 'POST', headers: json, body: JSON.stringify({image: square(6), label: 5})});
check((await response.json()).corrections === 6, 'an image without a label is dropped');
check(readFileSync(images).length === 16 + 6 * 784, 'from the file, too');
await server.stop();

const output = run('--finetune', '--epochs', '1');
const share = (line) => Number(new RegExp(`${line}: ([\\d.]+) % of MNIST's test images, ([\\d.]+) %`).exec(output)?.[1]);
const learned = Number(/After: .*, ([\d.]+) % of the corrections/.exec(output)?.[1]);
console.log(output.trim().split('\n').filter((line) => /Before|After/.test(line)).join('\n'));
check(share('Before') > 99.4, `the bundled network reads ${share('Before')} %`);
check(share('After') > 99, `after learning it still reads ${share('After')} %`);
check(learned === 100, `it reads ${learned} % of the corrections`);

server = await Server.start(program, '--model', `${corrections}/finetuned.safetensors`);
const read = await fetch(`${server.address}/v1/models/digits:predict`, {method: 'POST', body: JSON.stringify({instances: [square(1).map((value) => value / 255)]})});
const [row] = (await read.json()).predictions;
check(row.indexOf(Math.max(...row)) === 5, 'the model that was learned can be served');
await server.stop();

truncateSync(images, 100);
check(refused().includes('images.idx3-ubyte'), 'a damaged file is named');
check(refused('--finetune', '--model', labels).includes('labels.idx1-ubyte'), 'what is no model is named');
finish();
