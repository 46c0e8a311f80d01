/**
 * Preloaded into a server (`node --import`): its clock goes on as usual, and further when it is told to, so that minutes and hours pass within a test.
 *
 * Time is walked, not jumped over: each timer on the way runs at its own time, with the clock showing it, as it would have. What the
 * kernel, Node itself, the database and the resolver measure stays real. TURNED_CLOCK: the Unix socket on which milliseconds are taken; the answer is the time it is then.
 */

import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const RealDate = Date;
const realNow = Date.now;
const realSet = globalThis.setTimeout;
const realClear = globalThis.clearTimeout;
/** What the clock is ahead of the machine's. */
let ahead = 0;
const now = () => realNow() + ahead;
const timers = new Set();
/** Whose time-outs are about how long disk and network take, which no turning makes quicker. */
const ofTheMachine = /\/dist\/(storage\/|base\/dns-exchange\.)/;

/** Stands in for Node's own, of which nobody uses more than this. */
class Timer {
  constructor(run, ms, values) {
    Object.assign(this, { run, ms: Math.min(Math.max(ms, 1), 0x7fffffff), values, due: 0, kept: true, real: undefined });
    this.refresh();
  }

  refresh() {
    realClear(this.real);
    this.due = now() + this.ms;
    this.arm();
    return this;
  }

  arm() {
    realClear(this.real);
    timers.add(this);
    this.real = realSet(() => this.fire(), Math.max(this.due - now(), 1));
    if (!this.kept) this.real.unref();
  }

  fire() {
    this.close();
    this.run(...this.values);
  }

  close() {
    timers.delete(this);
    realClear(this.real);
    return this;
  }

  ref() {
    this.kept = true;
    this.real.ref();
    return this;
  }

  unref() {
    this.kept = false;
    this.real.unref();
    return this;
  }

  hasRef() {
    return this.kept;
  }

  [Symbol.toPrimitive]() {
    return Number(this.real);
  }
}

const turnOfLoop = () => new Promise((resolve) => setImmediate(resolve));

async function turn(ms) {
  const end = now() + ms;
  for (;;) {
    let next;
    for (const timer of timers) if (timer.due <= end && (!next || timer.due < next.due)) next = timer;
    if (!next) break;
    ahead += Math.max(0, next.due - now());
    next.fire();
    // What it set going gets its turn, and may set further timers.
    await turnOfLoop();
  }
  ahead += Math.max(0, end - now());
  for (const timer of timers) timer.arm();
}

if (isMainThread) {
  RealDate.now = now;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, values, made) => Reflect.construct(target, values.length === 0 ? [now()] : values, made),
    apply: () => new RealDate(now()).toString(),
  });
  globalThis.setTimeout = (run, ms = 1, ...values) =>
    ofTheMachine.test(new Error().stack) ? realSet(run, ms, ...values) : new Timer(run, Number(ms) || 0, values);
  globalThis.clearTimeout = (timer) => (timer instanceof Timer ? void timer.close() : realClear(timer));
  let work = Promise.resolve();
  createServer((socket) => {
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (text) => {
      work = work.then(() => turn(Number(text))).then(() => void socket.end(`${now()}\n`));
    });
  })
    .listen(process.env['TURNED_CLOCK'])
    .unref();
}
