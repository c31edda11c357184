// Signs in with Chromium as a person does, and tells what happened.
// usage: node login.mjs START_URL USER

import { chromium } from 'playwright-core';

const [start, user] = process.argv.slice(2);
const tell = (id, o) => console.log(JSON.stringify({ id, ...o }));

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
const page = await context.newPage();
const asked = new Set();
const complaints = [];
let callback;

page.setDefaultTimeout(20000);
const ours = () => page.url().startsWith(new URL(start).origin);

page.on('console', (m) => { if (m.type() === 'error' && ours()) complaints.push(m.text()); });
page.on('request', (r) => {
    if (ours() && !r.isNavigationRequest()) asked.add(new URL(r.url()).origin);
    if (r.url().includes('/callback?')) callback = r.url();
});

async function key(id) {
    await page.waitForSelector('#key');
    const shown = await page.textContent('#key');
    await page.click('#copy');
    await page.waitForFunction(() => document.getElementById('said').textContent !== '');
    tell(id, { key: shown, copied: await page.evaluate(() => navigator.clipboard.readText()),
        title: await page.title(), text: await page.textContent('main') });
}

await page.goto(start);
await page.fill('input[name=login]', user);
await page.fill('input[name=password]', 'anything');
await page.click('button[type=submit]');
await page.waitForSelector('button:has-text("Continue")');
await page.click('button[type=submit]');
await key('first');
tell('console', { complaints: [...complaints] });

tell('cookies', { cookies: (await context.cookies()).filter((c) => c.name.startsWith('aiobs')) });

// a script that somebody gets into the page does not run
const ran = await page.evaluate(() => {
    const s = document.createElement('script');
    s.textContent = 'window.ran = 1';
    document.body.appendChild(s);
    return window.ran ?? 0;
});
tell('script', { ran });

// the same answer again, then from the page that says what to do
await page.goto(callback);
tell('replay', { title: await page.title(), text: await page.textContent('main') });
await page.click('a');
await key('second');

// another browser with this answer
const other = await (await browser.newContext()).newPage();
await other.goto(callback);
tell('other', { title: await other.title(), text: await other.textContent('main') });

tell('asked', { origins: [...asked].sort() });
await browser.close();
