// The server as a test starts and stops it, and the pictures that it is sent.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {deflateSync} from 'node:zlib';

export class Server {
  // Starts the program on a free port and waits until it serves.
  static async start(program, ...options) {
    const server = new Server();
    server.process = spawn(program, ['--port', '0', ...options], {stdio: ['ignore', 'pipe', 'pipe']});
    // However this test ends.
    process.on('exit', () => server.process.kill('SIGKILL'));
    server.output = '';
    server.exited = once(server.process, 'exit');
    const address = await new Promise((resolve, reject) => {
      for (const stream of [server.process.stdout, server.process.stderr])
        stream.on('data', (data) => {
          server.output += data;
          const found = /http:\/\/127\.0\.0\.1:\d+/.exec(server.output);
          if (found) resolve(found[0]);
        });
      server.process.on('exit', () => reject(new Error(`The server did not start: ${server.output}`)));
    });
    server.address = address;
    server.port = Number(new URL(address).port);
    return server;
  }

  // Ends it as an init system would, and returns its exit status and the milliseconds that it took.
  async stop() {
    const begin = performance.now();
    this.process.kill('SIGTERM');
    const [status, signal] = await this.exited;
    return {status: signal ?? status, milliseconds: performance.now() - begin};
  }
}

let failures = 0, checks = 0;
export function check(right, what) {
  ++checks;
  if (right) return;
  ++failures;
  console.log(`FAILED: ${what}`);
}
export function finish() {
  console.log(`${checks - failures} of ${checks} checks passed`);
  process.exit(failures === 0 && checks > 0 ? 0 : 1);
}

const crcTable = Array.from({length: 256}, (_, n) => {
  for (let bit = 0; bit < 8; ++bit) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});
function pngChunk(name, data) {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(name, 4, 'latin1');
  data.copy(chunk, 8);
  let crc = 0xffffffff;
  for (const byte of chunk.subarray(4, data.length + 8)) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  chunk.writeUInt32BE((crc ^ 0xffffffff) >>> 0, data.length + 8);
  return chunk;
}
// A grayscale PNG file of (height, width) bytes.
export function png(bytes, height, width, channels = 1) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = channels === 4 ? 6 : 0;  // red, green, blue and opacity; or gray
  const line = width * channels;
  const rows = Buffer.alloc(height * (line + 1));
  for (let y = 0; y < height; ++y) Buffer.from(bytes.buffer, bytes.byteOffset + y * line, line).copy(rows, y * (line + 1) + 1);
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), pngChunk('IHDR', header),
                        pngChunk('IDAT', deflateSync(rows)), pngChunk('IEND', Buffer.alloc(0))]);
}

const arc = (x, y, rx, ry, from, to, steps = 14) =>
  Array.from({length: steps + 1}, (_, i) => {
    const angle = (from + (to - from) * i / steps) * Math.PI / 180;
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  });
// How a person writes the ten digits: strokes of points in a box of width and height 1, from the upper left.
export const written = [
  [arc(0.5, 0.5, 0.32, 0.48, -80, 285, 24)],
  [[[0.55, 0.02], [0.5, 0.5], [0.46, 0.98]]],
  [[...arc(0.48, 0.28, 0.3, 0.26, 190, 385), [0.55, 0.62], [0.2, 0.95], [0.5, 0.93], [0.85, 0.96]]],
  [[...arc(0.45, 0.26, 0.28, 0.24, 200, 440), ...arc(0.45, 0.73, 0.32, 0.25, -85, 160)]],
  [[[0.3, 0.04], [0.2, 0.55], [0.5, 0.57], [0.85, 0.55]], [[0.68, 0.2], [0.66, 0.6], [0.63, 0.98]]],
  [[[0.3, 0.06], [0.27, 0.42], ...arc(0.45, 0.68, 0.33, 0.28, -110, 150)], [[0.3, 0.06], [0.6, 0.05], [0.82, 0.03]]],
  [[[0.68, 0.03], [0.45, 0.25], [0.28, 0.55], ...arc(0.5, 0.74, 0.25, 0.23, 190, -175, 20)]],
  [[[0.15, 0.06], [0.5, 0.05], [0.85, 0.04], [0.65, 0.4], [0.48, 0.7], [0.4, 0.98]]],
  [[...arc(0.5, 0.26, 0.25, 0.23, 80, -270, 20), ...arc(0.5, 0.74, 0.29, 0.25, -90, 270, 22)]],
  [[...arc(0.48, 0.28, 0.26, 0.25, -20, -360, 20), [0.74, 0.35], [0.7, 0.65], [0.62, 0.98]]],
];

// A drawn digit as somebody photographs it: gray paper under uneven light, with noise.
export function photo(digit, height, width, {shade = 60, seed = 1} = {}) {
  const bytes = new Uint8Array(height * width);
  let state = seed;
  const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const side = 0.55 * Math.min(height, width), left = 0.3 * width, top = 0.2 * height, radius = side / 22;
  const segments = written[digit].flatMap((points) => points.slice(1).map((to, i) => [points[i], to]))
    .map((ends) => ends.map(([x, y]) => [left + 0.8 * side * x, top + side * y]));
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x) {
      let distance = Infinity;
      for (const [[ax, ay], [bx, by]] of segments) {
        const dx = bx - ax, dy = by - ay;
        const t = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
        distance = Math.min(distance, Math.hypot(x - ax - t * dx, y - ay - t * dy));
      }
      const paper = 215 - shade * (x / width + 0.5 * y / height) / 1.5;
      const ink = Math.min(1, Math.max(0, radius + 0.5 - distance));
      bytes[y * width + x] = Math.max(0, Math.min(255, paper * (1 - 0.75 * ink) + 10 * (random() - 0.5)));
    }
  return png(bytes, height, width);
}
