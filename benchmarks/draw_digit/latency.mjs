// How long after a change of the sheet its answer is on the page, in Chromium without a screen.
// node latency.mjs PROGRAM CHROMIUM [TURNS]
// The browser is spoken to by its debugging pipe, and only to begin: recording its requests, as test drivers do, takes
// as long as answering them. Pointer events come every 16 ms, as a hand's do.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {Server, written} from '../../tests/examples/draw_digit/server.mjs';

const [program, chromium, turns = '10'] = process.argv.slice(2);
const server = await Server.start(program);
const profile = mkdtempSync(`${tmpdir()}/digitnet-latency-`);
const browser = spawn(chromium, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe', '--window-size=1280,860',
                                 `--user-data-dir=${profile}`, 'about:blank'], {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});

const waiting = new Map();
let received = '', last = 0;
browser.stdio[4].on('data', (data) => {
  received += data;
  for (let end; (end = received.indexOf('\0')) >= 0; received = received.slice(end + 1)) {
    const message = JSON.parse(received.slice(0, end));
    waiting.get(message.id)?.(message);
  }
});
const send = (method, params = {}, sessionId = undefined) => new Promise((resolve) => {
  waiting.set(++last, resolve);
  browser.stdio[3].write(`${JSON.stringify({id: last, method, params, sessionId})}\0`);
});

const {result: {targetInfos}} = await send('Target.getTargets');
const {targetId} = targetInfos.find(({type}) => type === 'page');
const {result: {sessionId}} = await send('Target.attachToTarget', {targetId, flatten: true});
await send('Page.navigate', {url: server.address}, sessionId);
await new Promise((done) => setTimeout(done, 1500));

// In the page.
async function draw(digits, repeats) {
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const sheet = document.getElementById('sheet'), corner = sheet.getBoundingClientRect();
  sheet.setPointerCapture = () => {};  // there is no real pointer
  const fire = (type, [x, y]) => sheet.dispatchEvent(new PointerEvent(type, {
    pointerId: 7, pointerType: 'mouse', buttons: 1, clientX: corner.left + 150 + 150 * x, clientY: corner.top + 60 + 220 * y}));
  const afterStroke = [], whileDrawing = [], nothing = [];
  let right = 0;
  new MutationObserver(() => whileDrawing.push(Number(document.getElementById('latency').dataset.milliseconds)))
    .observe(document.getElementById('latency'), {attributeFilter: ['data-answers']});
  for (let repeat = 0; repeat < repeats; ++repeat)
    for (let digit = 0; digit < 10; ++digit) {
      for (const stroke of digits[digit]) {
        fire('pointerdown', stroke[0]);
        for (const point of stroke.slice(1)) {
          await wait(16);
          fire('pointermove', point);
        }
        fire('pointerup', stroke.at(-1));
        await wait(120);
        afterStroke.push(Number(document.getElementById('latency').dataset.milliseconds));
      }
      right += document.getElementById('number').textContent === String(digit);
      document.getElementById('clear').click();
      await wait(60);
      const begin = performance.now();
      await (await fetch('healthz')).text();
      nothing.push(performance.now() - begin);
    }
  return {afterStroke, whileDrawing, nothing, right, of: 10 * repeats};
}
const {result: {result: {value}}} = await send('Runtime.evaluate', {
  expression: `(${draw})(${JSON.stringify(written)}, ${Number(turns)})`, awaitPromise: true, returnByValue: true}, sessionId);

const line = (what, values) => {
  values.sort((a, b) => a - b);
  const at = (part) => values[Math.min(values.length - 1, Math.floor(part * values.length))].toFixed(1);
  console.log(`${what}: median ${at(0.5)} ms, p99 ${at(0.99)} ms (${values.length})`);
};
line('answer after a stroke', value.afterStroke);
line('answer while drawing', value.whileDrawing);
line('an empty request (GET /healthz) of the same page', value.nothing);
console.log(`${value.right} of ${value.of} digits read correctly`);
browser.kill();
await new Promise((done) => browser.on('exit', done));
await server.stop();
rmSync(profile, {recursive: true, force: true, maxRetries: 5, retryDelay: 200});
