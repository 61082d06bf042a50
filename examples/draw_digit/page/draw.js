// The page: draws strokes, asks the server what they are while they grow, and shows its answer.

const find = (id) => document.getElementById(id);
const sheet = find('sheet');
const pen = find('pen');
// What is sent: the same strokes on a smaller sheet, of which pixels are read often.
const copy = document.createElement('canvas');
const longestCopy = 320, longestPhoto = 640;

let strokes = [];        // [{points: [{x, y, width}]}], in the page's pixels from the sheet's corner
let photo = null;        // an ImageBitmap that lies on the sheet instead
let history = [];        // earlier {strokes, photo}, for undo
let answer = null;       // the server's last one
let selected = 0;        // the digit whose details are shown
let keyboard = null;     // {x, y, down}: the pen that arrow keys move
const held = new Set();  // arrow keys

// ---- Drawing

const size = () => ({width: sheet.clientWidth, height: sheet.clientHeight});
const copyScale = () => Math.min(1, longestCopy / Math.max(size().width, size().height));

function context(canvas, scale, color) {
  const drawing = canvas.getContext('2d', {willReadFrequently: canvas === copy});
  drawing.setTransform(scale, 0, 0, scale, 0, 0);
  drawing.strokeStyle = drawing.fillStyle = color;
  drawing.lineCap = drawing.lineJoin = 'round';
  return drawing;
}

let drawings = [];  // the contexts of both, ready to draw strokes

function prepareContexts() {
  const ink = getComputedStyle(sheet).getPropertyValue('--ink');
  drawings = [context(sheet, sheet.width / size().width, ink), context(copy, copyScale(), '#000')];
}

function drawSegment(drawing, from, to) {
  drawing.lineWidth = to.width;
  drawing.beginPath();
  drawing.moveTo(from.x, from.y);
  drawing.lineTo(to.x, to.y);
  drawing.stroke();
}

// Where the photo lies: as large as fits, in the middle.
function photoPlace() {
  const {width, height} = size();
  const scale = Math.min(width / photo.width, height / photo.height);
  return {x: (width - scale * photo.width) / 2, y: (height - scale * photo.height) / 2,
          width: scale * photo.width, height: scale * photo.height};
}

function drawAll() {
  const {width, height} = size();
  const sharpness = Math.min(2, window.devicePixelRatio || 1);
  sheet.width = Math.round(width * sharpness);
  sheet.height = Math.round(height * sharpness);
  copy.width = Math.max(1, Math.round(width * copyScale()));
  copy.height = Math.max(1, Math.round(height * copyScale()));
  prepareContexts();
  if (photo) {
    const place = photoPlace();
    drawings[0].drawImage(photo, place.x, place.y, place.width, place.height);
  }
  for (const stroke of strokes)
    stroke.points.forEach((point, i) => {
      for (const drawing of drawings) drawSegment(drawing, stroke.points[Math.max(0, i - 1)], point);
    });
  find('hint').hidden = strokes.length > 0 || photo !== null;
}

function remember() {
  history.push({strokes: strokes.map((stroke) => ({points: [...stroke.points]})), photo});
  if (history.length > 200) history.shift();
}

function beginStroke(point) {
  remember();
  if (photo) {
    photo = null;
    strokes = [];
    drawAll();
  }
  strokes.push({points: []});
  find('hint').hidden = true;
  continueStroke([point]);
}

function continueStroke(points) {
  const stroke = strokes[strokes.length - 1];
  for (const point of points) {
    const last = stroke.points[stroke.points.length - 1] || point;
    for (const drawing of drawings) drawSegment(drawing, last, point);
    stroke.points.push(point);
  }
  changed();
}

function undo() {
  const before = history.pop();
  if (!before) return;
  ({strokes, photo} = before);
  drawAll();
  changed();
}

function clear() {
  if (strokes.length > 0 || photo) remember();
  strokes = [];
  photo = null;
  drawAll();
  changed();
}

// ---- Pointers: mouse, finger, pen

function pointOf(event) {
  const corner = sheet.getBoundingClientRect();
  const pressure = event.pointerType === 'pen' && event.pressure > 0 ? 0.4 + 1.2 * event.pressure : 1;
  return {x: event.clientX - corner.left, y: event.clientY - corner.top, width: pen.valueAsNumber * pressure};
}

let pointer = null;  // the one that draws; other fingers are ignored meanwhile
sheet.addEventListener('pointerdown', (event) => {
  if (pointer !== null || (event.pointerType === 'mouse' && event.button !== 0)) return;
  pointer = event.pointerId;
  sheet.setPointerCapture(pointer);
  hideCursor();
  beginStroke(pointOf(event));
});
sheet.addEventListener('pointermove', (event) => {
  if (event.pointerId !== pointer) return;
  const parts = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  continueStroke((parts.length > 0 ? parts : [event]).map(pointOf));
});
for (const end of ['pointerup', 'pointercancel'])
  sheet.addEventListener(end, (event) => {
    if (event.pointerId === pointer) pointer = null;
  });

// ---- Keyboard

function showCursor() {
  const cursor = find('cursor');
  cursor.hidden = !keyboard;
  if (!keyboard) return;
  cursor.style.left = `${keyboard.x}px`;
  cursor.style.top = `${keyboard.y}px`;
  cursor.classList.toggle('down', keyboard.down);
}

function hideCursor() {
  if (keyboard) keyboard.down = false;
  find('cursor').hidden = true;
}

const penPoint = () => ({x: keyboard.x, y: keyboard.y, width: pen.valueAsNumber});

function moveBy(dx, dy) {
  const {width, height} = size();
  keyboard.x = Math.min(width - 4, Math.max(4, keyboard.x + dx));
  keyboard.y = Math.min(height - 4, Math.max(4, keyboard.y + dy));
  if (keyboard.down) continueStroke([penPoint()]);
}

sheet.addEventListener('keydown', (event) => {
  keyboard ??= {x: size().width / 2, y: size().height / 4, down: false};
  const step = (event.shiftKey ? 4 : 1) * Math.max(4, size().height / 50);
  if (event.key.startsWith('Arrow')) {
    held.add(event.key);
    moveBy(step * (held.has('ArrowRight') - held.has('ArrowLeft')), step * (held.has('ArrowDown') - held.has('ArrowUp')));
  } else if (event.key === ' ' || event.key === 'Enter') {
    keyboard.down = !keyboard.down;
    if (keyboard.down) beginStroke(penPoint());
  } else if (event.key === 'Escape') {
    keyboard.down = false;
  } else {
    return;
  }
  event.preventDefault();
  showCursor();
});
sheet.addEventListener('keyup', (event) => held.delete(event.key));
sheet.addEventListener('blur', () => {
  held.clear();
  hideCursor();
});
sheet.addEventListener('focus', () => {
  if (sheet.matches(':focus-visible') && pointer === null) showCursor();
});
document.addEventListener('keydown', (event) => {
  if (event.target.matches('input') && event.key !== 'z') return;
  const key = event.key.toLowerCase();
  if ((key === 'u' && !event.ctrlKey && !event.metaKey) || (key === 'z' && (event.ctrlKey || event.metaKey))) undo();
  else if (key === 'delete' || key === 'backspace') clear();
  else return;
  event.preventDefault();
});

find('undo').addEventListener('click', undo);
find('clear').addEventListener('click', clear);

// ---- Photos

async function readPhoto(file) {
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file);
    remember();
    photo = bitmap;
    strokes = [];
    drawAll();
    changed();
  } catch {
    showProblem(`${file.name || 'What was given'} is not a picture that this browser can show`);
  }
}

find('file').addEventListener('change', (event) => {
  readPhoto(event.target.files[0]);
  event.target.value = '';
});
document.addEventListener('paste', (event) => {
  readPhoto([...event.clipboardData.files].find((file) => file.type.startsWith('image/')));
});
find('frame').addEventListener('dragover', (event) => event.preventDefault());
find('frame').addEventListener('drop', (event) => {
  event.preventDefault();
  readPhoto(event.dataTransfer.files[0]);
});

// ---- Asking the server

const encoder = new TextEncoder();

// The color on which a picture with transparent parts shows: white for dark ink, black for light ink, and for a sheet with
// holes its own.
function paperBehind(data) {
  let opaque = 0, light = 0;
  for (let i = 0; i < data.length; i += 4) {
    opaque += data[i + 3] / 255;
    light += data[i + 3] / 255 * (data[i] + data[i + 1] + data[i + 2]) / 3;
  }
  const mean = opaque > 0 ? Math.round(light / opaque) : 255;
  const level = 8 * opaque > data.length ? mean : mean < 128 ? 255 : 0;
  return `rgb(${level}, ${level}, ${level})`;
}

// A PGM picture of what is on the sheet, and where it lies there; null for an empty sheet.
function picture() {
  let pixels, value, place;
  if (photo) {
    const scale = Math.min(1, longestPhoto / Math.max(photo.width, photo.height));
    const small = new OffscreenCanvas(Math.max(1, Math.round(photo.width * scale)),
                                      Math.max(1, Math.round(photo.height * scale)));
    const drawing = small.getContext('2d');
    drawing.imageSmoothingQuality = 'high';
    drawing.drawImage(photo, 0, 0, small.width, small.height);
    // Behind what is transparent, so that light ink shows as well.
    drawing.globalCompositeOperation = 'destination-over';
    drawing.fillStyle = paperBehind(drawing.getImageData(0, 0, small.width, small.height).data);
    drawing.fillRect(0, 0, small.width, small.height);
    pixels = drawing.getImageData(0, 0, small.width, small.height);
    value = (data, i) => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    place = photoPlace();
  } else {
    if (strokes.length === 0) return null;
    // Only the part with strokes, and a margin that shows what the sheet is like.
    const scale = copyScale(), margin = 4;
    let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
    for (const {points} of strokes)
      for (const {x, y, width} of points) {
        left = Math.min(left, x - width / 2);
        right = Math.max(right, x + width / 2);
        top = Math.min(top, y - width / 2);
        bottom = Math.max(bottom, y + width / 2);
      }
    const x = Math.floor(left * scale) - margin, y = Math.floor(top * scale) - margin;
    const width = Math.ceil(right * scale) + margin - x, height = Math.ceil(bottom * scale) + margin - y;
    pixels = drawings[1].getImageData(x, y, width, height);
    value = (data, i) => 255 - data[i + 3];
    place = {x: x / scale, y: y / scale, width: width / scale, height: height / scale};
  }
  const header = encoder.encode(`P5 ${pixels.width} ${pixels.height} 255\n`);
  const file = new Uint8Array(header.length + pixels.width * pixels.height);
  file.set(header);
  for (let from = 0, to = header.length; to < file.length; from += 4) file[to++] = value(pixels.data, from);
  return {file, place};
}

let changedAt = 0;  // when what is on the sheet became other than what was last asked about; 0: it is not
let asking = 0;     // questions that are not answered yet
let asked = 0, shown = 0;  // numbers of the last question, and of the one whose answer is shown
let rest = 0;       // the timer for what can wait until nothing changes

// Two questions at a time: the second need not wait for the first, and more would only queue up.
function changed() {
  if (changedAt === 0) changedAt = performance.now();
  if (asking < 2) ask();
  showBusy();
}

// Readers of the screen wait until there is nothing more to ask.
function showBusy() {
  document.querySelector('.answer').setAttribute('aria-busy', String(asking > 0 || changedAt !== 0));
}

async function post(path, sent) {
  const response = await fetch(path, {
    method: 'POST',
    headers: {'Content-Type': 'image/x-portable-graymap'},
    body: sent.file,
    cache: 'no-store',  // looking into the browser's cache takes a millisecond
  });
  const result = await response.json();
  if (!response.ok) throw new Error(result.error);
  return {result, timing: response.headers.get('Server-Timing')};
}

async function ask() {
  const since = changedAt, number = ++asked;
  changedAt = 0;
  clearTimeout(rest);
  const sent = picture();
  if (!sent) {
    shown = number;
    show(null, null);
    return;
  }
  ++asking;
  try {
    const {result, timing} = await post('predict', sent);
    if (number > shown) {
      shown = number;
      show(result, sent.place);
      showLatency(performance.now() - since, timing);
    }
  } catch (error) {
    if (number > shown) showProblem(error instanceof TypeError ? 'The server does not answer: is it still running?' : error.message);
  }
  --asking;
  if (changedAt !== 0) ask();
  else if (number === asked && answer?.digits.length > 0) rest = setTimeout(() => askForMaps(sent), 60);
  showBusy();
}

// Feature maps are large, and nobody looks at them while drawing.
async function askForMaps(sent) {
  const number = asked;
  try {
    const {result} = await post(`predict?feature_maps=${selected}`, sent);
    if (number === asked) drawMaps(result.feature_maps);
  } catch {
    // The next prediction says what is wrong.
  }
}

// ---- Showing the answer

const bars = Array.from({length: 10}, (_, digit) => {
  const row = document.createElement('li');
  row.innerHTML = `<span>${digit}</span><div class="track"><div class="fill"></div></div><span class="percent"></span>`;
  find('bars').append(row);
  return {row, fill: row.querySelector('.fill'), percent: row.querySelector('.percent')};
});

const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

// A pixel of ImageData as one number; every machine that browsers run on is little-endian.
const gray = (value) => (0xff000000 | value << 16 | value << 8 | value) >>> 0;

function drawBytes(canvas, bytes) {
  const pixels = new ImageData(28, 28);
  new Uint32Array(pixels.data.buffer).set(Uint32Array.from(bytes, gray));
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}

// (height, width, channels) bytes as tiles, eight beside each other.
function drawMaps(maps) {
  const canvas = find('maps');
  canvas.parentElement.hidden = !maps;
  if (!maps) return;
  const columns = Math.min(8, maps.channels), rows = Math.ceil(maps.channels / columns);
  const values = bytesOf(maps.values);
  const pixels = new ImageData(columns * (maps.width + 1) - 1, rows * (maps.height + 1) - 1);
  const words = new Uint32Array(pixels.data.buffer);
  for (let channel = 0; channel < maps.channels; ++channel) {
    const corner = Math.floor(channel / columns) * (maps.height + 1) * pixels.width + (channel % columns) * (maps.width + 1);
    for (let y = 0; y < maps.height; ++y)
      for (let x = 0; x < maps.width; ++x)
        words[corner + y * pixels.width + x] = gray(values[(y * maps.width + x) * maps.channels + channel]);
  }
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext('2d').putImageData(pixels, 0, 0);
  find('maps-caption').textContent = `What its first convolution makes of it: ${maps.layers}, ${maps.channels} maps`;
}

function showDetails() {
  const digit = answer?.digits[selected];
  bars.forEach(({row, fill, percent}, i) => {
    const probability = digit ? digit.probabilities[i] : 0;
    row.classList.toggle('best', digit?.digit === i);
    fill.style.width = `${100 * probability}%`;
    percent.textContent = digit ? `${(100 * probability).toFixed(1)} %` : '';
  });
  drawBytes(find('seen'), digit ? bytesOf(digit.image) : new Uint8Array(784));
  if (!digit) drawMaps(null);
}

// A button for each of several digits, and a frame around it on the sheet.
function showDigits(place) {
  const several = answer && answer.digits.length > 1 ? answer.digits : [];
  find('digits').replaceChildren(...several.map((digit, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-pressed', String(i === selected));
    button.setAttribute('aria-label', `Digit ${i + 1}: ${digit.digit}`);
    const image = document.createElement('canvas');
    image.width = image.height = 28;
    drawBytes(image, bytesOf(digit.image));
    button.append(image);
    button.addEventListener('click', () => {
      selected = i;
      showDigits(place);
      showDetails();
      find('digits').children[i].focus();
      changed();
    });
    return button;
  }));
  find('boxes').replaceChildren(...several.map(({digit, box}) => {
    const frame = document.createElement('div');
    frame.style.left = `${place.x + box.left * place.width - 4}px`;
    frame.style.top = `${place.y + box.top * place.height - 4}px`;
    frame.style.width = `${(box.right - box.left) * place.width + 8}px`;
    frame.style.height = `${(box.bottom - box.top) * place.height + 8}px`;
    const name = document.createElement('span');
    name.textContent = digit;
    frame.append(name);
    return frame;
  }));
}

function show(result, place) {
  answer = result;
  if (selected >= (result?.digits.length || 1)) selected = 0;
  find('problem').hidden = true;
  find('number').textContent = result?.number || '–';
  find('thanks').textContent = '';
  showDigits(place);
  showDetails();
}

function showProblem(text) {
  find('problem').textContent = text;
  find('problem').hidden = false;
}

let answers = 0;
function showLatency(milliseconds, timing) {
  const inside = /dur=([\d.]+)/.exec(timing || '');
  const line = find('latency');
  line.textContent = `Read in ${milliseconds.toFixed(1)} ms` +
      (inside ? `, ${Number(inside[1]).toFixed(1)} ms of it in the server` : '');
  line.dataset.milliseconds = milliseconds;
  line.dataset.answers = ++answers;
}

// ---- Corrections, where the server keeps them

function offerCorrections() {
  find('correction').hidden = false;
  for (let digit = 0; digit < 10; ++digit) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = digit;
    button.addEventListener('click', async () => {
      const shown = answer?.digits[selected];
      if (!shown) {
        find('thanks').textContent = 'Write a digit first';
        return;
      }
      try {
        const response = await fetch('corrections', {
          method: 'POST',
          headers: {'Content-Type': 'application/json'},
          body: JSON.stringify({image: [...bytesOf(shown.image)], label: digit}),
        });
        const result = await response.json();
        find('thanks').textContent = response.ok ? `Kept as a ${digit}; corrections so far: ${result.corrections}`
                                                 : result.error;
      } catch {
        find('thanks').textContent = 'The server does not answer: is it still running?';
      }
    });
    find('meant').append(button);
  }
}

fetch('settings.json').then((response) => response.json()).then((settings) => {
  if (settings.corrections) offerCorrections();
  find('model').textContent = `Read by a network of ${settings.parameters.toLocaleString('en')} parameters, here on this machine.`;
});

new ResizeObserver(() => {
  drawAll();
  changed();
}).observe(sheet);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
show(null, null);
