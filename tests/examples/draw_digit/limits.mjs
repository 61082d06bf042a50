// What clients may not do: take all memory, all connections or all time of the server, or speak a HTTP that
// others could understand in another way.
// node limits.mjs PROGRAM FOLDER
import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import net from 'node:net';
import {gzipSync} from 'node:zlib';
import {Server, check, finish, png} from './server.mjs';

const [program, folder, model] = process.argv.slice(2);
const corrections = `${folder}/limited`;
rmSync(corrections, {recursive: true, force: true});
const predictPath = '/v1/models/digits:predict', json = 'application/json';
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
let server = await Server.start(program, '--corrections', corrections, '--request-seconds', '2', '--idle-seconds', '1');

// Bytes on a connection, and all that comes back until it ends, as latin1.
function raw(bytes, {from = '127.0.0.1', port = server.port} = {}) {
  return new Promise((resolve) => {
    const socket = net.connect({host: '127.0.0.1', port, localAddress: from, allowHalfOpen: true});
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (data) => { text += data; });
    socket.on('end', () => { socket.destroy(); resolve(text); });
    socket.on('error', (error) => resolve(text || String(error)));
    socket.write(bytes);
  });
}
const post = (path, body, type) => Buffer.concat([
  Buffer.from(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`),
  Buffer.from(body, 'latin1')]);
const status = (answer) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
const message = (answer) => { try { return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)).error ?? ''; } catch { return ''; } };
const memory = () => Object.fromEntries(['VmRSS', 'VmHWM'].map((name) =>
  [name, Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${server.process.pid}/status`))[1]) / 1024]));
const megabytes = ({VmRSS, VmHWM}) => `${VmRSS.toFixed(0)} MiB, at most ${VmHWM.toFixed(0)} MiB`;

// ---- What RFC 9112 forbids

const image = `{"instances": [[${Array(784).fill(0.5)}]]}`;
const start = `POST ${predictPath} HTTP/1.1\r\nHost: localhost\r\n`;
const chunked = `${start}Transfer-Encoding: chunked\r\n\r\n`;
const get = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n';
for (const [what, bytes, wanted] of [
  ['a space before the colon', `${get}X : y\r\n\r\n`, 400],
  ['a space before the colon of a length', `${start}Content-Length : 5\r\n\r\nhello`, 400],
  ['two lengths', `${start}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, 400],
  ['the same length twice', `${start}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 400],
  ['a list of lengths', `${start}Content-Length: 5, 5\r\n\r\nhello`, 400],
  ['a length and chunks', `${start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['two encodings', `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['an encoding before chunks', `${start}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 400],
  ['chunks of HTTP/1.0', `POST ${predictPath} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ...['-1', '+5', '0x5', '5 5', '', '5a', '99999999999999999999999', '1e3'].map((length) =>
    [`the length "${length}"`, `${start}Content-Length: ${length}\r\n\r\nhello`, 400]),
  ['two Hosts', `GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n`, 400],
  ['no Host', `GET / HTTP/1.1\r\n\r\n`, 400],
  ...['a b', 'localhost/x', 'user@localhost', 'localhost:x', '[::1', 'localhost:123456'].map((host) =>
    [`the Host "${host}"`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400]),
  ['a folded field', `${get}X: y\r\n z\r\n\r\n`, 400],
  ['a first field that is folded', `GET / HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n`, 400],
  ['a field without a colon', `${get}hello\r\n\r\n`, 400],
  ['a field without a name', `${get}: x\r\n\r\n`, 400],
  ['a field with a strange name', `${get}a(b): x\r\n\r\n`, 400],
  ['a lone carriage return', `${get}X: y\rz\r\n\r\n`, 400],
  ['a zero byte', `${get}X: y\0z\r\n\r\n`, 400],
  ['a lone line feed', `GET / HTTP/1.1\nHost: localhost\n\n`, 400],
  ['a lone line feed between fields', `${get}X: y\nZ: z\r\n\r\n`, 400],
  ['a method that is none', `G(T / HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['a method that is not known', `BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n`, 501],
  ['no method', ` / HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['no version', `GET /\r\nHost: localhost\r\n\r\n`, 400],
  ['two spaces', `GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['a target with a space', `GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['a target that is no path', `GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['a target with a fragment', `GET /#x HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['a target with bytes', `GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['a target with a broken escape', `GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['an asterisk', `GET * HTTP/1.1\r\nHost: localhost\r\n\r\n`, 400],
  ['a long target', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 414],
  ...['HTTP/1.x', 'HTTP/1', 'HTTP/11.1', 'http/1.1', 'HTTP/1.1 ', 'HTTX/1.1', 'HTTP/1,1'].map((version) =>
    [`the version ${version}`, `GET / ${version}\r\nHost: localhost\r\n\r\n`, 400]),
  ['HTTP/2.0', `GET / HTTP/2.0\r\nHost: localhost\r\n\r\n`, 505],
  ['many fields', `${get}${'A: b\r\n'.repeat(101)}\r\n`, 431],
  ['an expectation', `${get}Expect: money\r\n\r\n`, 417],
  ...['', 'zz', '-5', '+5', '0x5', '5 5', '5 ', ' 5', '5\0', 'ffffffffffffffffff', `5;${'x'.repeat(300)}`, '0'.repeat(300), '5;a\rb'].map((size) =>
    [`a chunk of size "${size.slice(0, 20)}"`, `${chunked}${size}\r\nhello\r\n0\r\n\r\n`, 400]),
  ['a chunk that is too long', `${chunked}5\r\nhello!\r\n0\r\n\r\n`, 400],
  ['a chunk size with a lone line feed', `${chunked}5\nhello\r\n0\r\n\r\n`, 400],
  ['a huge chunk', `${chunked}ffffffffffffff\r\nhello`, 413],
  ['a broken trailer', `${chunked}0\r\nX : y\r\n\r\n`, 400],
  ['a long trailer', `${chunked}0\r\n${'A: b\r\n'.repeat(1000)}\r\n`, 431],
]) {
  // What follows must never be taken for another request.
  const answer = await raw(Buffer.from(`${bytes}GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'latin1'));
  check(status(answer) === wanted && message(answer) !== '' && /\r\nConnection: close\r\n/.test(answer) &&
        [...answer.matchAll(/HTTP\/1\.1 \d/g)].length === 1, `${what}: ${JSON.stringify(answer.slice(0, 40))} ${message(answer)}`);
}

// ---- What it allows

for (const [what, bytes, wanted] of [
  ['chunks with extensions and trailers', `${chunked}${image.length.toString(16)};a="b";c\r\n${image}\r\n000\r\nX: y\r\n\r\n`, 200],
  ['chunks in capitals', `${start}TRANSFER-ENCODING: Chunked\r\n\r\n${image.length.toString(16).toUpperCase()} ;x\r\n${image}\r\n0\r\n\r\n`, 200],
  ['an empty line before the request', `\r\n${get}\r\n`, 200],
  ['a whole address as the target', `GET http://localhost/healthz HTTP/1.1\r\nHost: ignored.example\r\n\r\n`, 200],
  ['another server in the target', `GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`, 403],
  ['no space after the colon', `GET /healthz HTTP/1.1\r\nHost:localhost\r\n\r\n`, 200],
  ['spaces around a value', `GET /healthz HTTP/1.1\r\nHost: \t localhost \t\r\n\r\n`, 200],
  ['HTTP/1.0 without Host', `GET /healthz HTTP/1.0\r\n\r\n`, 200],
  ['an escaped path', `GET /%68ealthz?a=b HTTP/1.1\r\nHost: localhost:1\r\n\r\n`, 200],
]) {
  const answer = await raw(bytes);
  check(status(answer) === wanted, `${what}: ${JSON.stringify(answer.slice(0, 40))} ${message(answer)}`);
}
{
  const packed = gzipSync(image);
  const answer = await raw(Buffer.concat([Buffer.from(`${start}Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`), packed]));
  check(status(answer) === 200, `gzip: ${answer.slice(0, 200)}`);
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const large = await raw(Buffer.concat([Buffer.from(`${start}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`), bomb]));
  check(status(large) === 413, `a gzip bomb: ${large.slice(0, 200)}`);
  const expecting = await raw(`${start}Connection: close\r\nExpect: 100-continue\r\nContent-Length: ${image.length}\r\n\r\n${image}`);
  check(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/.test(expecting), `Expect: 100-continue: ${expecting.slice(0, 80)}`);
  const refused = await raw(`${start}Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n`);
  check(status(refused) === 413, `Expect: 100-continue for 100 MB: ${refused.slice(0, 40)}`);
}

// ---- Messages show little of what a client sent

const long = 'q'.repeat(5000);
for (const [what, bytes] of [
  ['a path', `GET /${long} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a path and a method', `DELETE /${long} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a method', `${long} / HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a version', `GET / ${long}\r\nHost: localhost\r\n\r\n`],
  ['a Host', `GET / HTTP/1.1\r\nHost: ${long}\r\n\r\n`],
  ['a field', `${get}${long}\r\n\r\n`],
  ['a length', `${start}Content-Length: ${long}\r\n\r\n`],
  ['an encoding', `${start}Transfer-Encoding: ${long}\r\n\r\n`],
  ['a type', post('/predict', 'x', long)],
  ['a place', post(`/predict?feature_maps=${long}`, png(new Uint8Array(100), 10, 10), 'image/png')],
  ['JSON', post(predictPath, long, json)],
  ['a string', post(predictPath, `{"instances": "${long}`, json)],
  ['a number', post(predictPath, `{"instances": [${'9'.repeat(900)}]}`, json)],
  ['a key', post(predictPath, `{"${long.slice(0, 900)}": 1}`, json)],
  ['control characters', post(predictPath, `{"${'\\u0001'.repeat(150)}": 1}`, json)],
  ['quotation marks', `GET /${'%22'.repeat(1000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['bytes', post(predictPath, `{"a": ${'\xfe'.repeat(3000)}`, json)],
  ['half characters', post(predictPath, `{"x${'\xc3\xa9'.repeat(300)}": 1}`, json)],
]) {
  const answer = await raw(bytes), said = message(answer);
  const longest = Math.max(...[...said.matchAll(/(.)\1*/gs)].map(([run]) => run.length));
  check(status(answer) >= 400 && said !== '' && answer.length < 1400 && longest <= 200,
        `${what} of 5,000 bytes: ${answer.length} bytes, ${said.slice(0, 300)}`);
}

// ---- Memory: bodies, lines and pictures that are small to send and large to hold

const parallel = (count, action) => Promise.all(Array.from({length: count}, (_, i) => action(i)));
const counted = (answers) => JSON.stringify(answers.reduce((counts, answer) => ({...counts, [status(answer)]: (counts[status(answer)] ?? 0) + 1}), {}));
// A body without end, as long as the server takes it.
function endless(head, part) {
  return new Promise((resolve) => {
    const socket = net.connect({port: server.port, allowHalfOpen: true});
    let text = '', sent = 0;
    const write = () => { while (sent < 400_000_000 && !socket.destroyed) { sent += part.length; if (!socket.write(part)) return; } socket.end(); };
    socket.on('data', (data) => { text += data; });
    socket.on('drain', write);
    for (const event of ['end', 'error', 'close']) socket.on(event, () => { socket.destroy(); resolve(text); });
    socket.write(head);
    write();
  });
}
{
  const nested = `[${'[],'.repeat(1_300_000)}[]]`, before = memory();
  for (const [path, body] of [['/corrections', nested], [predictPath, `{"instances": ${nested}}`], ['/corrections', '['.repeat(4_000_000)],
                              ['/corrections', `{"image": "${'a'.repeat(4_000_000)}"}`], [predictPath, `{"instances": [[${'0,'.repeat(2_000_000)}0]]}`]]) {
    const message = post(path, body, json);
    const answers = await parallel(12, () => raw(message));
    check(answers.every((answer) => [400, 503].includes(status(answer))), `12 bodies ${body.slice(0, 20)}: ${counted(answers)}`);
  }
  for (const part of [Buffer.alloc(1 << 20, '0'), Buffer.alloc(1 << 20, 'X: y\r\n')]) {
    await endless(`${chunked}`, part);
    await endless(`${chunked}5;`, part);
    await endless(`${chunked}0\r\nX: `, part);
    await endless(get, part);
  }
  const large = post('/predict', png(new Uint8Array(2048 * 2048).fill(255), 2048, 2048), 'image/png');
  const answers = await parallel(24, () => raw(large));
  check(answers.every((answer) => [200, 503].includes(status(answer))) && answers.some((answer) => status(answer) === 200),
        `24 pictures of 4 megapixels: ${counted(answers)}`);
  for (const answer of answers.filter((text) => status(text) === 503)) check(/\r\nRetry-After: \d+\r\n/.test(answer), 'a 503 says when to come again');
  const huge = Buffer.from(png(new Uint8Array(100), 10, 10));
  huge.writeUInt32BE(60000, 16);
  huge.writeUInt32BE(60000, 20);
  const refused = await raw(post('/predict', huge, 'image/png'));
  check(status(refused) === 400 && message(refused).includes('60000 x 60000'), `3,600 megapixels: ${message(refused)}`);
  await wait(300);
  const after = memory();
  console.log(`memory before ${megabytes(before)}; after ${megabytes(after)}`);
  check(after.VmHWM < 350, `at most ${megabytes(after)}`);
}

// ---- Connections: one address leaves some to others

const open = (count, from) => parallel(count, () => new Promise((resolve) => {
  const socket = net.connect({port: server.port, host: '127.0.0.1', localAddress: from}, () => resolve(socket));
  socket.on('error', () => {});
}));
{
  await server.stop();
  server = await Server.start(program, '--connections', '40', '--address-connections', '30', '--idle-seconds', '5', '--request-seconds', '2');
  const sockets = await open(60, '127.0.0.1');
  await wait(200);
  const own = await raw(`${get}Connection: close\r\n\r\n`), others = await raw(`${get}Connection: close\r\n\r\n`, {from: '127.0.0.2'});
  check(status(own) === 503 && /\r\nRetry-After: \d+\r\n/.test(own), `the address that holds all that it may: ${own.slice(0, 40)}`);
  check(status(others) === 200, `another address meanwhile: ${others.slice(0, 40)}`);
  for (const socket of sockets) socket.destroy();
  await wait(200);
  check(status(await raw(`${get}Connection: close\r\n\r\n`)) === 200, 'afterwards it is served again');
}

// ---- Time: clients that send or read a byte now and then

{
  const slow = (text, pause) => new Promise((resolve) => {
    const socket = net.connect(server.port), begin = performance.now();
    let i = 0;
    const timer = setInterval(() => socket.write(text[i++ % text.length]), pause);
    let answer = '';
    socket.on('data', (data) => { answer += data; });
    for (const event of ['error', 'close']) socket.on(event, () => { clearInterval(timer); resolve({answer, seconds: (performance.now() - begin) / 1000}); });
  });
  const never = new Promise((resolve) => {
    // Asks again and again and reads nothing.
    const socket = net.connect(server.port), begin = performance.now();
    socket.pause();
    const timer = setInterval(() => socket.write('GET /draw.js HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100)), 20);
    for (const event of ['error', 'close']) socket.on(event, () => { clearInterval(timer); resolve((performance.now() - begin) / 1000); });
    setTimeout(() => { clearInterval(timer); socket.destroy(); resolve(99); }, 15000);
  });
  for (const [what, {answer, seconds}] of [['header', await slow('GET / HTTP/1.1\r\nX: y', 100)], ['chunks', await slow(`${chunked}1\r\na\r\n1\r\na\r\n`, 20)]])
    check(seconds < 4.5 && [0, 400, 408].includes(status(answer)), `a slow ${what} was given up after ${seconds.toFixed(1)} s: ${answer.slice(0, 40)}`);
  const seconds = await never;
  check(seconds < 14, `a client that never reads was given up after ${seconds.toFixed(1)} s`);
}

// ---- The end: what waits to be accepted is answered

{
  server.process.kill('SIGSTOP');
  const answers = Array.from({length: 40}, (_, i) => raw(post(predictPath, image, json), {from: `127.0.0.${1 + i % 4}`}));
  await wait(300);
  const ended = server.stop();
  server.process.kill('SIGCONT');
  const texts = await Promise.all(answers);
  check(texts.every((answer) => status(answer) === 200), `40 requests that waited when the end came: ${counted(texts)}`);
  check((await ended).status === 0, 'the status is 0');
}

// ---- Two processes on one folder of corrections

{
  server = await Server.start(program, '--corrections', corrections);
  const second = spawn(program, ['--port', '0', '--corrections', corrections], {stdio: ['ignore', 'ignore', 'pipe']});
  let said = '';
  second.stderr.on('data', (data) => { said += data; });
  const [code] = await once(second, 'close');
  check(code === 1 && said.includes(`${corrections} is in use by another process (${server.process.pid})`), `a second server: ${code} ${said}`);
  server.process.kill('SIGKILL');
  await server.exited;
  server = await Server.start(program, '--corrections', corrections);
  check((await server.stop()).status === 0, 'a server that was killed locks nothing');
}

// ---- Weights that are no numbers are never served

if (model && existsSync(model)) {
  const bytes = readFileSync(model), header = Number(bytes.readBigUInt64LE(0));
  for (const [what, value] of [['NaN', NaN], ['infinite', Infinity], ['huge', 3e38]]) {
    const broken = Buffer.from(bytes);
    for (let place = 8 + header; place + 4 <= broken.length; place += 4) broken.writeFloatLE(value, place);
    writeFileSync(`${folder}/broken.safetensors`, broken);
    let said = '';
    try {
      execFileSync(program, ['--port', '0', '--model', `${folder}/broken.safetensors`], {stdio: 'pipe', timeout: 10000});
    } catch (error) {
      said = `${error.status} ${error.stderr}`;
    }
    check(said.startsWith('1 ') && said.includes('broken.safetensors'), `a model of ${what} weights: ${said}`);
  }
}
finish();
