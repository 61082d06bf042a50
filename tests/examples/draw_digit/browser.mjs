// The page in a real browser, as a person uses it: mouse, touch, pen, keyboard, photos; phone and desktop.
// node browser.mjs PROGRAM NODE_PACKAGES CHROMIUM FOLDER, which gets screenshots
import {mkdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {Server, check, finish, photo, written} from './server.mjs';

const [program, packages, executablePath, folder] = process.argv.slice(2);
const {chromium} = createRequire(`${packages}/`)('playwright-core');
mkdirSync(folder, {recursive: true});
const corrections = `${folder}/corrections`;
const server = await Server.start(program, '--corrections', corrections);
const browser = await chromium.launch({executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']});

// A page of its own, all of whose requests go to the server, without an error in the console.
async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' && !page.mayFail && !message.text().includes('status of')) check(false, `the browser says: ${message.text()}`);
  });
  page.setDefaultTimeout(8000);
  page.on('response', async (response) => {
    if (response.status() >= 400) check(false, `${response.url()} answered ${response.status()} ${await response.text()}`);
  });
  page.on('pageerror', (error) => check(false, `an error in the page: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(server.address)) check(url.startsWith('data:') || url.startsWith('blob:'), `the page asks ${url}`);
  });
  await page.goto(server.address);
  await page.waitForFunction(() => document.getElementById('model').textContent !== '');
  return page;
}

const box = (page) => page.locator('#sheet').boundingBox();
const number = (page) => page.locator('#number').textContent();
// Waits until the last change has been answered.
const settled = (page) => page.waitForFunction(() => document.querySelector('.answer').getAttribute('aria-busy') === 'false');
async function clear(page) {
  await page.locator('#clear').click();
  await page.waitForFunction(() => document.getElementById('number').textContent === '–');
}

// A digit's strokes in a part of the sheet, from `left` on, `width` wide (parts of the sheet's width).
async function place(page, digit, left, width) {
  const sheet = await box(page);
  const height = Math.min(0.72 * sheet.height, width * sheet.width * 1.5);
  const x = sheet.x + left * sheet.width, y = sheet.y + (sheet.height - height) / 2;
  return written[digit].map((points) => points.map(([px, py]) => [x + px * width * sheet.width, y + py * height]));
}
async function drawWithMouse(page, digit, left = 0.35, width = 0.3) {
  for (const [[x, y], ...rest] of await place(page, digit, left, width)) {
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (const [toX, toY] of rest) await page.mouse.move(toX, toY);
    await page.mouse.up();
  }
}

// ---- Desktop, mouse
{
  const page = await open({viewport: {width: 1280, height: 860}});
  check(await number(page) === '–', 'the sheet is empty at first');
  const latencies = [];
  for (let turn = 0; turn < 3; ++turn)
    for (let digit = 0; digit < 10; ++digit) {
      const width = 0.2 + 0.05 * turn;
      await drawWithMouse(page, digit, 0.1 + 0.2 * turn, width);
      await settled(page);
      const read = await number(page);
      check(read === String(digit), `a ${digit} drawn with the mouse (width ${width}) was read as ${read}`);
      latencies.push(Number(await page.locator('#latency').getAttribute('data-milliseconds')));
      if (turn === 0 && digit === 2) await page.screenshot({path: `${folder}/desktop.png`, fullPage: true});
      await clear(page);
    }
  latencies.sort((a, b) => a - b);
  const at = (part) => latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))].toFixed(1);
  console.log(`answers after a stroke, in the page: median ${at(0.5)} ms, p99 ${at(0.99)} ms (${latencies.length})`);

  // While drawing, before the pen is lifted.
  const [[first, ...rest]] = await place(page, 1, 0.4, 0.3);
  await page.mouse.move(...first);
  await page.mouse.down();
  for (const point of rest) await page.mouse.move(...point);
  await settled(page);
  check(await number(page) === '1', 'a digit is read before the pen is lifted');
  await page.mouse.up();
  await clear(page);

  // Several digits.
  await drawWithMouse(page, 4, 0.05, 0.22);
  await drawWithMouse(page, 2, 0.38, 0.22);
  await drawWithMouse(page, 7, 0.7, 0.22);
  await settled(page);
  check(await number(page) === '427', `427 was read as ${await number(page)}`);
  check(await page.locator('#digits button').count() === 3, 'a button for each digit');
  check(await page.locator('#boxes div').count() === 3, 'a frame around each digit');
  await page.locator('#digits button').nth(1).click();
  await page.waitForFunction(() => document.querySelector('#bars .best')?.textContent.startsWith('2'));
  check(await page.locator('#digits button').nth(1).getAttribute('aria-pressed') === 'true', 'the chosen digit is marked');
  await page.screenshot({path: `${folder}/number.png`, fullPage: true});

  // Undo, stroke by stroke, also of clear.
  await page.locator('#undo').click();
  await page.waitForFunction(() => document.getElementById('number').textContent === '42');
  await clear(page);
  await page.locator('#undo').click();
  await page.waitForFunction(() => document.getElementById('number').textContent === '42');
  await clear(page);

  // The bars are a distribution.
  await drawWithMouse(page, 3);
  await settled(page);
  const percents = await page.locator('#bars .percent').allTextContents();
  const sum = percents.reduce((total, text) => total + parseFloat(text), 0);
  check(percents.length === 10 && Math.abs(sum - 100) < 1, `the ten bars sum up to ${sum} %`);
  await page.waitForFunction(() => document.getElementById('maps').width > 100);  // a moment later than the answer
  await page.waitForFunction(() => !document.getElementById('maps').parentElement.hidden);
  check(await page.locator('#seen').evaluate((canvas) => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, 28, 28);
    return data.some((value, i) => i % 4 === 0 && value > 200) && data[0] === 0;
  }), 'the 28 x 28 pixels are drawn');

  // A correction.
  await page.locator('#meant button').nth(8).click();
  await page.waitForFunction(() => document.getElementById('thanks').textContent.includes('Kept as a 8'));
  await clear(page);

  // The pen's width, and a pen's pressure.
  const inkOf = () => page.locator('#sheet').evaluate((canvas) => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let i = 3; i < data.length; i += 4) sum += data[i];
    return sum;
  });
  const session = await page.context().newCDPSession(page);
  const sheet = await box(page);
  const drawPen = async (force) => {
    const event = {button: 'left', buttons: 1, pointerType: 'pen', force, x: sheet.x + sheet.width / 2};
    await session.send('Input.dispatchMouseEvent', {...event, type: 'mousePressed', y: sheet.y + 60, clickCount: 1});
    await session.send('Input.dispatchMouseEvent', {...event, type: 'mouseMoved', y: sheet.y + 200});
    await session.send('Input.dispatchMouseEvent', {...event, type: 'mouseReleased', y: sheet.y + 200, buttons: 0});
    const ink = await inkOf();
    await clear(page);
    return ink;
  };
  const light = await drawPen(0.1), heavy = await drawPen(0.9);
  check(heavy > 1.5 * light && light > 0, `a pen draws ${light} lightly and ${heavy} with pressure`);
  await page.locator('#pen').fill('40');
  await drawWithMouse(page, 1);
  const broad = await inkOf();
  await clear(page);
  await page.locator('#pen').fill('12');
  await drawWithMouse(page, 1);
  check(broad > 2 * await inkOf(), 'the pen width counts');
  check(await number(page) === '1', 'a thin digit is read');
  await clear(page);

  // Photos: chosen, pasted, dropped; and what is none.
  for (const digit of [2, 5, 8]) {
    await page.locator('#file').setInputFiles({name: 'photo.png', mimeType: 'image/png', buffer: photo(digit, 480, 640)});
    await page.waitForFunction((wanted) => document.getElementById('number').textContent === wanted, String(digit))
      .catch(() => {});
    check(await number(page) === String(digit), `a photo of a ${digit} was read as ${await number(page)}`);
    if (digit === 5) await page.screenshot({path: `${folder}/photo.png`, fullPage: true});
  }
  await page.evaluate((bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], 'pasted.png', {type: 'image/png'}));
    document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}));
  }, [...photo(7, 300, 300, {shade: 20})]);
  await page.waitForFunction(() => document.getElementById('number').textContent === '7').catch(() => {});
  check(await number(page) === '7', `a pasted 7 was read as ${await number(page)}`);
  await page.locator('#file').setInputFiles({name: 'words.txt', mimeType: 'text/plain', buffer: Buffer.from('hello')});
  await page.waitForFunction(() => !document.getElementById('problem').hidden);
  check((await page.locator('#problem').textContent()).includes('words.txt'), 'a file that is no picture is named');
  await drawWithMouse(page, 6);
  await settled(page);
  check(await number(page) === '6', 'drawing after a photo begins a new sheet');
  await page.context().close();
}

// ---- Keyboard alone, dark
{
  const page = await open({viewport: {width: 1100, height: 800}, colorScheme: 'dark'});
  const press = async (key, times = 1) => { for (let i = 0; i < times; ++i) await page.keyboard.press(key); };
  await press('Tab');
  check(await page.evaluate(() => document.activeElement.id) === 'sheet', 'Tab reaches the sheet first');
  await press(' ');
  await press('Shift+ArrowDown', 6);
  await press(' ');
  await settled(page);
  check(await number(page) === '1', `a 1 drawn with arrow keys was read as ${await number(page)}`);
  await press('u');
  await page.waitForFunction(() => document.getElementById('number').textContent === '–');
  // A 7: to the right, then down to the left with two keys held.
  await press('Escape');
  await press('Shift+ArrowUp', 6);
  await press(' ');
  await press('Shift+ArrowRight', 4);
  await page.keyboard.down('ArrowLeft');
  for (let i = 0; i < 6; ++i) {
    await page.keyboard.down('ArrowDown');
    await page.keyboard.down('ArrowDown');
    await page.keyboard.down('ArrowDown');
    await page.keyboard.down('ArrowLeft');
    await page.keyboard.up('ArrowDown');
  }
  await page.keyboard.up('ArrowLeft');
  await press(' ');
  await settled(page);
  check(await number(page) === '7', `a 7 drawn with arrow keys was read as ${await number(page)}`);
  await page.screenshot({path: `${folder}/keyboard-dark.png`, fullPage: true});
  await press('Delete');
  await page.waitForFunction(() => document.getElementById('number').textContent === '–');
  // Every control can be reached, and says what it is.
  const reached = new Set();
  for (let i = 0; i < 20; ++i) {
    await press('Tab');
    const name = await page.evaluate(() => {
      const element = document.activeElement;
      return element.getAttribute('aria-label') || element.textContent.trim();
    });
    reached.add(name);
  }
  for (const name of ['Undo', 'Clear', 'Pen width', 'Read a photo of a digit', 'API', '0', '9'])
    check(reached.has(name), `Tab reaches ${name}`);
  await page.context().close();
}

// ---- Phone, touch
{
  const page = await open({viewport: {width: 390, height: 844}, deviceScaleFactor: 3, hasTouch: true, isMobile: true});
  const session = await page.context().newCDPSession(page);
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the phone');
  for (let digit = 0; digit < 10; ++digit) {
    const before = await page.evaluate(() => scrollY);
    for (const [first, ...rest] of await place(page, digit, 0.25, 0.5)) {
      const touch = (type, points) => session.send('Input.dispatchTouchEvent', {type, touchPoints: points.map(([x, y]) => ({x, y}))});
      await touch('touchStart', [first]);
      for (const point of rest) await touch('touchMove', [point]);
      await touch('touchEnd', []);
    }
    await settled(page);
    const read = await number(page);
    check(read === String(digit), `a ${digit} drawn with a finger was read as ${read}`);
    check(await page.evaluate(() => scrollY) === before, 'drawing does not scroll');
    if (digit === 9) await page.screenshot({path: `${folder}/phone.png`, fullPage: true});
    // Chromium without a screen makes a click of most taps, not of all.
    for (let i = 0; i < 10 && await number(page) !== '–'; ++i) {
      await page.locator('#clear').tap();
      await page.waitForTimeout(150);
    }
    await page.waitForFunction(() => document.getElementById('number').textContent === '–');
  }
  // Turned: what was drawn stays.
  for (const [first, ...rest] of await place(page, 1, 0.25, 0.5)) {
    await page.mouse.move(...first);
    await page.mouse.down();
    for (const point of rest) await page.mouse.move(...point);
    await page.mouse.up();
  }
  await page.setViewportSize({width: 844, height: 390});
  await settled(page);
  check(await number(page) === '1', 'what was drawn stays when the phone is turned');
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the turned phone');

  // The server ends while the page is open.
  page.mayFail = true;
  const {status, milliseconds} = await server.stop();
  check(status === 0 && milliseconds < 4000, `SIGTERM ends the server with ${status} after ${milliseconds.toFixed(0)} ms`);
  await page.locator('#sheet').scrollIntoViewIfNeeded();
  const sheet = await box(page);
  await page.mouse.move(sheet.x + 60, sheet.y + 60);
  await page.mouse.down();
  await page.mouse.move(sheet.x + 60, sheet.y + 160);
  await page.mouse.up();
  await page.waitForFunction(() => document.getElementById('problem').textContent.includes('does not answer'));
}

await browser.close();
finish();
