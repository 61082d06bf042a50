// The API as programs use it, and as it must never be used.
// node requests.mjs PROGRAM MUTATIONS FOLDER
import {readFileSync, rmSync, existsSync} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import {gunzipSync} from 'node:zlib';
import {Server, check, finish, photo, png} from './server.mjs';

const [program, mutations, folder] = process.argv.slice(2);
const corrections = `${folder}/corrections`;
rmSync(corrections, {recursive: true, force: true});
const json = 'application/json', predictPath = '/v1/models/digits:predict';
let server = await Server.start(program, '--corrections', corrections, '--request-seconds', '2', '--idle-seconds', '1');
const agent = new http.Agent({keepAlive: true, maxSockets: 8});

// An answer {status, headers, text}; the connection's end as status 0.
function ask(method, path, body, type, headers = {}, useAgent = agent) {
  return new Promise((resolve) => {
    const request = http.request({port: server.port, method, path, agent: useAgent,
                                  headers: {...(type ? {'Content-Type': type} : {}), ...headers}}, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString()}));
      response.on('error', (error) => resolve({status: 0, text: String(error)}));
    });
    request.on('error', (error) => resolve({status: 0, text: String(error)}));
    if (body !== undefined) request.write(body);
    request.end();
  });
}
const post = (path, body, type, headers) => ask('POST', path, body, type, headers);
const parsed = (answer) => { try { return JSON.parse(answer.text); } catch { return {}; } };
const isProblem = (answer) => answer.status >= 400 && answer.status < 500 && typeof parsed(answer).error === 'string' &&
                              answer.headers['content-type'] === json;

// Bytes on a connection, and all that comes back until it ends.
function raw(...parts) {
  return new Promise((resolve) => {
    const socket = net.connect({port: server.port, allowHalfOpen: true});
    let text = '';
    socket.on('data', (data) => { text += data; });
    socket.on('end', () => { socket.end(); resolve(text); });
    socket.on('error', (error) => resolve(`${text} ${error}`));
    socket.on('connect', async () => {
      for (const part of parts) {
        if (part === 'end') socket.end();
        else if (typeof part === 'number') await new Promise((done) => setTimeout(done, part));
        else socket.write(part);
      }
    });
  });
}

// ---- What is right

const image = (value) => Array.from({length: 28}, (_, y) => Array.from({length: 28}, (_, x) => (x > 12 && x < 16 && y > 4 && y < 24 ? value : 0)));
const instances = JSON.stringify({instances: [image(1), image(0.5)]});
const drawing = photo(3, 120, 120, {shade: 0});
{
  const answer = await post(predictPath, instances, json);
  const {predictions} = parsed(answer);
  check(answer.status === 200 && predictions.length === 2 && predictions[0].length === 10, 'two images give two rows of ten');
  check(Math.abs(predictions[0].reduce((a, b) => a + b) - 1) < 1e-5, 'the probabilities sum up to 1');
  check(predictions[0].indexOf(Math.max(...predictions[0])) === 1, 'a bar is a 1');
  for (const [what, value] of [['flat', image(1).flat()], ['with channels', image(1).map((row) => row.map((v) => [v]))]]) {
    const same = parsed(await post(predictPath, JSON.stringify({signature_name: 'serving_default', instances: [value]}), json));
    check(JSON.stringify(same.predictions?.[0]) === JSON.stringify(predictions[0]), `${what} images are read, too`);
  }
  const columns = parsed(await post(predictPath, JSON.stringify({inputs: [image(1)]}), 'application/x-www-form-urlencoded'));
  check(JSON.stringify(columns.outputs?.[0]) === JSON.stringify(predictions[0]), '"inputs" gives "outputs", whatever the type');
  const chunked = await post(predictPath, instances, json, {'Transfer-Encoding': 'chunked'});
  check(chunked.text === answer.text, 'chunked bodies are read');

  const many = await Promise.all(Array.from({length: 64}, () => post(predictPath, instances, json)));
  check(many.every((other) => other.text === answer.text), '64 requests at once get the same answer as one');

  const read = await post('/predict?feature_maps=0', drawing, 'image/png');
  const result = parsed(read);
  check(read.status === 200 && result.number === '3' && result.digits.length === 1, `a drawn 3 is read: ${read.text.slice(0, 80)}`);
  check(Buffer.from(result.digits[0].image, 'base64').length === 784, 'the 28 x 28 image comes along');
  const maps = result.feature_maps;
  check(Buffer.from(maps.values, 'base64').length === maps.height * maps.width * maps.channels, 'feature maps come along');
  check(read.headers['server-timing']?.startsWith('predict;dur='), 'the time is told');
  const empty = parsed(await post('/predict', png(new Uint8Array(10000).fill(255), 100, 100), 'image/png'));
  check(empty.number === '' && empty.digits.length === 0, 'an empty sheet has no digits');
  for (const ink of [0, 255]) {
    // A bar that is all there is: what is around it is transparent.
    const bar = Uint8Array.from({length: 4 * 3600}, (_, i) => {
      const x = (i >> 2) % 60, y = Math.floor((i >> 2) / 60);
      return i % 4 === 3 ? (x > 27 && x < 33 && y > 9 && y < 50 ? 255 : 0) : ink;
    });
    const seen = parsed(await post('/predict', png(bar, 60, 60, 4), 'image/png'));
    check(seen.number === '1', `ink of brightness ${ink} on a transparent sheet is read: ${JSON.stringify(seen).slice(0, 80)}`);
  }
  const pgm = parsed(await post('/predict', Buffer.concat([Buffer.from('P5 # by hand\n40 40\n255\n'), Buffer.alloc(1600, 255).fill(0, 500, 504).fill(0, 540, 544)]), 'image/x-portable-graymap'));
  check(pgm.digits?.length === 1, 'PGM pictures are read');
}

// ---- Pages and what machines ask

for (const [path, type, text] of [
  ['/', 'text/html', '<canvas'], ['/draw.js', 'text/javascript', 'fetch'], ['/draw.css', 'text/css', 'prefers-color-scheme'],
  ['/icon.svg', 'image/svg+xml', '<svg'], ['/openapi.json', json, '"openapi"'], ['/healthz', 'text/plain', 'ok'],
  ['/metrics', 'text/plain', 'digitnet_predictions_total'], ['/v1/models/digits', json, 'AVAILABLE'], ['/settings.json', json, 'true'],
]) {
  const answer = await ask('GET', path);
  check(answer.status === 200 && answer.headers['content-type'].startsWith(type) && answer.text.includes(text), `GET ${path}`);
  check(answer.headers['content-security-policy'].includes("default-src 'none'") && answer.headers['x-content-type-options'] === 'nosniff',
        `${path} has security headers`);
  const head = await ask('HEAD', path);
  check(head.status === 200 && head.text === '', `HEAD ${path}`);
}
{
  const {paths} = parsed(await ask('GET', '/openapi.json'));
  for (const [path, methods] of Object.entries(paths))
    for (const method of Object.keys(methods)) {
      const answer = await ask(method.toUpperCase(), path, method === 'post' ? '' : undefined, undefined, method === 'post' ? {'Content-Length': 0} : {});
      check(![0, 404, 405].includes(answer.status), `${method} ${path} of the description exists`);
    }
}

// ---- What is wrong, and how it is said

const one = (value) => JSON.stringify({instances: [[...image(1).flat().slice(1), value]]});
const withToken = (token) => one(12345).replace('12345', token);
for (const [what, answer, status, text] of [
  ['not JSON', post(predictPath, 'hello', json), 400, 'not JSON'],
  ['nothing', post(predictPath, '', json, {'Content-Length': 0}), 400, 'not JSON'],
  ['truncated JSON', post(predictPath, instances.slice(0, -9), json), 400, 'not JSON'],
  ['no instances', post(predictPath, '{}', json), 400, 'instances'],
  ['an array', post(predictPath, '[1]', json), 400, 'array'],
  ['another key', post(predictPath, '{"images": []}', json), 400, '\\"images\\"'],
  ['empty instances', post(predictPath, '{"instances": []}', json), 400, 'empty'],
  ['NaN', post(predictPath, withToken('NaN'), json), 400, 'not JSON'],
  ['Infinity', post(predictPath, withToken('Infinity'), json), 400, 'not JSON'],
  ['1e999', post(predictPath, withToken('1e999'), json), 400, 'not JSON'],
  ['1e300', post(predictPath, withToken('1e300'), json), 400, 'huge'],
  ['a long integer', post(predictPath, withToken('9'.repeat(400)), json), 400, 'number overflow'],
  ['a byte', post(predictPath, withToken('255'), json), 400, 'divide bytes by 255'],
  ['a negative number', post(predictPath, withToken('-0.5'), json), 400, 'from 0'],
  ['null', post(predictPath, withToken('null'), json), 400, 'null'],
  ['a string', post(predictPath, withToken('"1"'), json), 400, 'a string'],
  ['a ragged image', post(predictPath, JSON.stringify({instances: [[...image(1).slice(1), [1]]]}), json), 400, 'one shape'],
  ['27 rows', post(predictPath, JSON.stringify({instances: [image(1).slice(1)]}), json), 400, '(27, 28)'],
  ['a number for an image', post(predictPath, '{"instances": [1]}', json), 400, 'a number'],
  ['mixed depths', post(predictPath, JSON.stringify({instances: [image(1), image(1).flat()]}), json), 400, 'a number'],
  ['twice instances', post(predictPath, `{"instances": [${JSON.stringify(image(1))}], "inputs": []}`, json), 400, 'twice'],
  ['2,000 images', post(predictPath, JSON.stringify({instances: Array(2000).fill([0])}), json), 400, '1024'],
  ['deep nesting', post(predictPath, '['.repeat(100000), json), 400, 'array'],
  ['deep nesting of instances', post(predictPath, `{"instances": ${'['.repeat(100000)}`, json), 400, 'deep'],
  ['no picture', post('/predict', '', 'image/png', {'Content-Length': 0}), 400, 'no picture'],
  ['no PNG', post('/predict', 'hello', 'image/png'), 400, 'neither'],
  ['half a PNG', post('/predict', drawing.subarray(0, 200), 'image/png'), 400, 'PNG'],
  ['a JPEG', post('/predict', drawing, 'image/jpeg'), 415, 'image/jpeg'],
  ['a form', post('/predict', '--x\r\n\r\n--x--', 'multipart/form-data; boundary=x'), 415, 'Forms'],
  ['a PGM without pixels', post('/predict', 'P5 9 9 255\n', 'image/x-portable-graymap'), 400, '0 bytes'],
  ['a PGM of nothing', post('/predict', 'P5 0 9 255\n', 'image/x-portable-graymap'), 400, 'width'],
  ['a huge PGM', post('/predict', 'P5 4000000 4000000 255\n', 'image/x-portable-graymap'), 400, 'larger'],
  ['a wrong place', post('/predict?feature_maps=x', drawing, 'image/png'), 400, 'feature_maps'],
  ['a correction as text', post('/corrections', '{}', 'text/plain'), 415, json],
  ['a correction without image', post('/corrections', '{"label": 3}', json), 400, '784'],
  ['a correction with label 10', post('/corrections', JSON.stringify({image: Array(784).fill(0), label: 10}), json), 400, 'label'],
  ['a correction with value 256', post('/corrections', JSON.stringify({image: Array(784).fill(256), label: 1}), json), 400, '784'],
  ['a path that is not there', ask('GET', '/../../etc/passwd'), 404, 'nothing'],
  ['a POST to nowhere', post('/nowhere', 'x', json), 404, 'nothing'],
  ['a wrong method', ask('DELETE', '/predict'), 405, 'POST'],
  ['a GET of predict', ask('GET', predictPath), 405, 'POST'],
  ['another site', ask('GET', '/', undefined, undefined, {Host: 'evil.example'}), 403, 'evil.example'],
  ['a body that is said to be gzip', post(predictPath, instances, json, {'Content-Encoding': 'gzip'}), 400, 'encoded'],
]) {
  const {status: found, text: said, headers} = await answer;
  check(found === status && said.includes(text), `${what}: ${found} ${said.slice(0, 200)}`);
  check(isProblem({status: found, text: said, headers}), `${what} is answered with {"error": ...}`);
}

// ---- Connections

const get = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n';
for (const [what, answer, pattern] of [
  ['garbage', raw('\x00\xff\x16\x03\x01 no HTTP\r\n\r\n'), /^HTTP\/1\.1 400[^]*"error"/],
  ['a first line without end', raw('G'.repeat(40000), 'end'), /^HTTP\/1\.1 4\d\d[^]*"error"/],
  ['a huge header', raw(`${get}X: ${'y'.repeat(30000)}\r\n\r\n`), /^HTTP\/1\.1 431[^]*"error"/],
  ['endless headers', raw(get, `${'A: b\r\n'.repeat(5000)}\r\n`), /^HTTP\/1\.1 431[^]*"error"/],
  ['no length', raw(`POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n\r\n`), /^HTTP\/1\.1 411[^]*"error"/],
  ['a strange length', raw(`POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n`), /^HTTP\/1\.1 400[^]*"error"/],
  ['two lengths', raw(`POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`), /^HTTP\/1\.1 400[^]*twice/],
  ['an unknown encoding', raw(`POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n`), /^HTTP\/1\.1 400[^]*only chunked/],
  ['a body that ends too early', raw(`POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 900\r\n\r\nabc`, 'end'), /^HTTP\/1\.1 400[^]*too early/],
  ['a broken chunk', raw(`POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`, 'end'), /^HTTP\/1\.1 4\d\d[^]*"error"/],
  ['half-closed after a whole request', raw(`${get}\r\n`, 'end'), /^HTTP\/1\.1 200[^]*ok\n$/],
  ['two requests at once', raw(`${get}\r\n${get}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200[^]*ok\nHTTP\/1\.1 200[^]*ok\n$/],
  ['a GET with a body', raw(`${get}Content-Length: 30\r\n\r\n${get}`), /^HTTP\/1\.1 200[^]*Connection: close[^]*ok\n$/],
  ['a slow header', raw('GET ', 900, '/healthz', 900, ' HTTP/1.1\r\n', 900), /^HTTP\/1\.1 408[^]*"error"/],
  ['a slow body', raw(`POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n`, 900, 'a', 900, 'b', 900), /^HTTP\/1\.1 408[^]*"error"/],
  ['silence', raw(2500), /^$/],
  ['nothing and the end', raw('end'), /^$/],
]) {
  const text = await answer;
  check(pattern.test(text), `${what}: ${JSON.stringify(text.slice(0, 60))} ... ${JSON.stringify(text.slice(-120))}`);
}
for (const headers of [{}, {'Transfer-Encoding': 'chunked'}]) {
  const large = await post('/predict', Buffer.alloc(100_000_000), 'image/png', headers);
  check(large.status === 413 && isProblem(large), `100 MB: ${large.status} ${large.text.slice(0, 100)}`);
}

// ---- Damaged requests: each must be answered, with 200 or with what is wrong

let state = 12345;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * below);
};
const tokens = ['NaN', '1e999', '-1', '1e-400', '9'.repeat(40), '"x"', 'null', 'true', '[]', '{}', '[[[[[', ']]', '{"a":', ',', '\\u0000', '\xff\xfe'];
const originals = [
  [predictPath, Buffer.from(JSON.stringify({instances: [image(1)]})), json],
  [predictPath, Buffer.from(JSON.stringify({instances: [image(1).flat()], signature_name: 's'})), json],
  ['/predict', drawing, 'image/png'],
  ['/predict', Buffer.concat([Buffer.from('P5 20 20 255\n'), Buffer.alloc(400, 255).fill(0, 100, 104)]), 'image/x-portable-graymap'],
  ['/corrections', Buffer.from(JSON.stringify({image: Array(784).fill(3), label: 4})), json],
];
function damaged(body) {
  let bytes = Buffer.from(body);
  for (let i = 1 + random(3); i > 0; --i) {
    const place = random(bytes.length + 1);
    switch (random(6)) {
      case 0: if (bytes.length > 0) bytes[Math.min(place, bytes.length - 1)] ^= 1 << random(8); break;
      case 1: bytes = bytes.subarray(0, place); break;
      case 2: bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from(tokens[random(tokens.length)], 'latin1'), bytes.subarray(place)]); break;
      case 3: bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(Math.min(bytes.length, place + 1 + random(40)))]); break;
      case 4: bytes = Buffer.concat([bytes, bytes.subarray(place)]); break;
      default: bytes = Buffer.from(bytes); bytes.fill(random(256), place, Math.min(bytes.length, place + random(20)));
    }
  }
  return bytes;
}
{
  const counts = {};
  let begun = 0;
  const worker = async () => {
    while (begun < Number(mutations)) {
      // Corrections that are well are stored; few of them.
      const [path, body, type] = originals[begun++ % 40 === 4 ? 4 : random(4)];
      const bytes = damaged(body);
      const answer = await post(path, bytes, random(20) === 0 ? tokens[random(11)] : type, {'Content-Length': bytes.length});
      counts[answer.status] = (counts[answer.status] ?? 0) + 1;
      if (answer.status !== 200 && !isProblem(answer)) check(false, `${path} ${bytes.toString('latin1').slice(0, 200)}: ${answer.status} ${answer.text}`);
    }
  };
  await Promise.all(Array.from({length: 8}, worker));
  check(begun >= Number(mutations) && !counts[0], `${begun} damaged requests were answered`);
  console.log(`${begun} damaged requests: ${JSON.stringify(counts)}`);
  check((await ask('GET', '/healthz')).status === 200, 'the server is well after all this');
}

// ---- Real digits

const data = process.env.DIGITNET_DATA;
if (data && existsSync(`${data}/t10k-images-idx3-ubyte.gz`)) {
  const images = gunzipSync(readFileSync(`${data}/t10k-images-idx3-ubyte.gz`)).subarray(16);
  const labels = gunzipSync(readFileSync(`${data}/t10k-labels-idx1-ubyte.gz`)).subarray(8);
  let right = 0;
  const count = 200;
  for (let i = 0; i < count; ++i) {
    const side = 220, sheet = new Uint8Array(side * side).fill(255), left = i * 7 % 80, top = i * 13 % 80;
    for (let y = 0; y < 140; ++y)
      for (let x = 0; x < 140; ++x)
        sheet[(top + y) * side + left + x] = 255 - images[784 * i + 28 * Math.floor(y / 5) + Math.floor(x / 5)];
    right += parsed(await post('/predict', png(sheet, side, side), 'image/png')).number === String(labels[i]);
  }
  console.log(`MNIST as pictures, five times as large, shifted and inverted: ${right} of ${count} read correctly`);
  check(right >= 0.98 * count, `${right} of ${count}`);
}

// ---- Corrections outlive the process, however it ends

{
  const before = parsed(await post('/corrections', JSON.stringify({image: Array(784).fill(7), label: 7}), json)).corrections;
  check(before >= 1, 'a correction is kept');
  server.process.kill('SIGKILL');
  await server.exited;
  server = await Server.start(program, '--corrections', corrections, '--connections', '8');
  const after = parsed(await post('/corrections', JSON.stringify({image: Array(784).fill(8), label: 8}), json)).corrections;
  check(after === before + 1, `${before} corrections before the process was killed, ${after} after one more`);
  const labels = readFileSync(`${corrections}/labels.idx1-ubyte`), images = readFileSync(`${corrections}/images.idx3-ubyte`);
  check(labels.length === 8 + after && images.length === 16 + 784 * after && labels.at(-1) === 8 && images.at(-1) === 8, 'they are IDX files');
}

// ---- More connections than there may be

{
  agent.destroy();
  await new Promise((done) => setTimeout(done, 100));
  const sockets = await Promise.all(Array.from({length: 8}, () => new Promise((resolve) => {
    const socket = net.connect(server.port, () => resolve(socket));
  })));
  await new Promise((done) => setTimeout(done, 100));
  const text = await raw(`${get}\r\n`);
  check(/^HTTP\/1\.1 503[^]*"error"/.test(text), `a ninth connection of eight: ${JSON.stringify(text.slice(0, 80))}`);
  for (const socket of sockets) socket.destroy();
  await new Promise((done) => setTimeout(done, 100));
  check((await ask('GET', '/healthz', undefined, undefined, {}, new http.Agent())).status === 200, 'a place that is left is free again');
}

// ---- The end: what has begun to arrive is answered

{
  const answer = raw(`POST ${predictPath} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${instances.length}\r\n\r\n`, 300, instances);
  await new Promise((done) => setTimeout(done, 150));
  const ended = server.stop();
  check(/^HTTP\/1\.1 200[^]*predictions/.test(await answer), 'a request that had begun is answered while the server stops');
  const {status, milliseconds} = await ended;
  check(status === 0 && milliseconds < 8000, `SIGTERM: status ${status} after ${milliseconds.toFixed(0)} ms`);
  check(server.output.includes('every request was answered'), 'it says so');
}
finish();
