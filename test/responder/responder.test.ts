import { expect, test } from '@jest/globals';
import { type Component, constant, Fault, ManualClock, silentLog } from '../../src/base/index.ts';
import { type ComponentPolicy, Responder } from '../../src/responder/index.ts';

const usual: ComponentPolicy = { autoStart: true, autoRestart: true, autoStop: true, waitTime: 0 };

interface Probe extends Component {
  readonly events: string[];
  fail(cause: unknown): void;
  refuse: Fault | undefined;
}

function probe(name: string, events: string[] = []): Probe {
  let failed: (cause: unknown) => void = () => {};
  return {
    name,
    events,
    refuse: undefined,
    async start(tell) {
      events.push(`${name} start`);
      failed = tell;
      if (this.refuse) throw this.refuse;
    },
    async stop() {
      events.push(`${name} stop`);
    },
    fail: (cause) => failed(cause),
  };
}

function setUp(...list: [Probe, Partial<ComponentPolicy>][]) {
  const clock = new ManualClock();
  const responder = new Responder({ log: silentLog, clock });
  for (const [component, policy] of list) responder.add(component, constant({ ...usual, ...policy }));
  return { clock, responder };
}

const settle = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

test('components start in order and stop in reverse', async () => {
  const events: string[] = [];
  const { responder } = setUp([probe('A', events), {}], [probe('B', events), {}]);
  await responder.startAll();
  await responder.stopAll({ all: true });
  expect(events).toEqual(['A start', 'B start', 'B stop', 'A stop']);
});

test('the one that is to be last stops when all others have stopped', async () => {
  const events: string[] = [];
  let release = (): void => {};
  const slow = { ...probe('A', events), stop: () => new Promise<void>((resolve) => (release = resolve)) };
  const { responder } = setUp([slow, {}], [probe('B', events), {}], [probe('C', events), {}]);
  await responder.startAll();
  const stopped = responder.stopAll({ all: true, last: 'C' });
  await settle();
  expect(events.at(-1)).toBe('B stop');
  expect(responder.status().map(({ state }) => state)).toEqual(['stopping', 'stopped', 'running']);
  release();
  await stopped;
  expect(events.at(-1)).toBe('C stop');
});

test('one without Auto Start stays stopped, one without Auto Stop runs on unless the process ends', async () => {
  const { responder } = setUp([probe('A'), { autoStart: false }], [probe('B'), { autoStop: false }]);
  await responder.startAll();
  expect(responder.status().map((s) => s.state)).toEqual(['stopped', 'running']);
  await responder.stopAll({ all: false });
  expect(responder.status().map((s) => s.state)).toEqual(['stopped', 'running']);
  await responder.stopAll({ all: true });
  expect(responder.status().map((s) => s.state)).toEqual(['stopped', 'stopped']);
});

test('a component that fails is started again after a growing pause, and the others run on', async () => {
  const [a, b] = [probe('A'), probe('B')];
  const { clock, responder } = setUp([a, {}], [b, {}]);
  await responder.startAll();
  for (const pause of [1_000, 2_000, 4_000]) {
    a.fail(new Error('broken'));
    expect(responder.status()[0]).toMatchObject({ state: 'failed', lastError: 'Error: broken' });
    clock.advance(pause - 1);
    await settle();
    expect(responder.status()[0]?.state).toBe('failed');
    clock.advance(1);
    await settle();
    expect(responder.status()[0]?.state).toBe('running');
  }
  expect(b.events).toEqual(['B start']);
});

test('a restart that is refused is tried again', async () => {
  const a = probe('A');
  const { clock, responder } = setUp([a, {}]);
  await responder.startAll();
  a.refuse = new Fault('unavailable', 'port taken');
  a.fail(new Error('broken'));
  clock.advance(1_000);
  await settle();
  expect(responder.status()[0]).toMatchObject({ state: 'failed', lastError: 'port taken' });
  a.refuse = undefined;
  clock.advance(60_000);
  await settle();
  expect(responder.status()[0]?.state).toBe('running');
});

test('without Auto Restart a failed component stays failed', async () => {
  const a = probe('A');
  const { clock, responder } = setUp([a, { autoRestart: false }]);
  await responder.startAll();
  a.fail(new Error('broken'));
  clock.advance(3_600_000);
  await settle();
  expect(responder.status()[0]?.state).toBe('failed');
});

test('Wait Time passes before the component starts', async () => {
  const a = probe('A');
  const { clock, responder } = setUp([a, { waitTime: 5 }]);
  const started = responder.startAll();
  await settle();
  expect(responder.status()[0]?.state).toBe('waiting');
  clock.advance(5_000);
  await started;
  expect(responder.status()[0]?.state).toBe('running');
});

test('stopping what waits for its Wait Time ends the waiting', async () => {
  const a = probe('A');
  const { responder } = setUp([a, { waitTime: 3_600 }]);
  const started = responder.startAll();
  await settle();
  await responder.stop('A');
  await started;
  expect(a.events).toEqual([]);
});

test('a component that fails after its Wait Time while others are being started is heard in the end', async () => {
  const a = probe('A');
  a.refuse = new Fault('unavailable', 'port taken');
  let go = (): void => {};
  const slow = { ...probe('B'), start: () => new Promise<void>((resolve) => (go = resolve)) };
  const { clock, responder } = setUp([a, { waitTime: 1 }], [slow, {}]);
  const started = responder.startAll();
  await settle();
  clock.advance(1_000);
  // An unheard rejection would end the test run at the next turn of the loop.
  await new Promise((resolve) => setImmediate(resolve));
  go();
  await expect(started).rejects.toThrow('port taken');
});

test('one that is slow to stop does not take the time of the others, and nothing is started any more', async () => {
  const a = probe('A');
  const slow = { ...probe('B'), stop: () => new Promise<void>(() => {}) };
  const { clock, responder } = setUp([a, {}], [slow, {}]);
  await responder.startAll();
  const stopped = responder.stopAll({ all: true });
  await settle();
  expect(a.events).toEqual(['A start', 'A stop']);
  clock.advance(10_000);
  await stopped;
  await expect(responder.start('A')).rejects.toThrow('being stopped');
});

test('a start that fails says why to whoever asked', async () => {
  const a = probe('A');
  a.refuse = new Fault('unavailable', 'port taken');
  const { responder } = setUp([a, {}]);
  await expect(responder.startAll()).rejects.toThrow('port taken');
});

test('a component that never stops is given up after ten seconds', async () => {
  const a = { ...probe('A'), stop: () => new Promise<void>(() => {}) };
  const { clock, responder } = setUp([a, {}]);
  await responder.startAll();
  const stopped = responder.stopAll({ all: true });
  await settle();
  clock.advance(10_000);
  await stopped;
  expect(responder.status()[0]?.state).toBe('stopped');
});

test('an unknown component is named, with those there are', async () => {
  const { responder } = setUp([probe('SMTPD'), {}]);
  await expect(responder.start('FTPD')).rejects.toThrow('there is no component FTPD; there are SMTPD');
});

test('orders for one component are carried out one after the other', async () => {
  const a = probe('A');
  const { responder } = setUp([a, {}]);
  await Promise.all([responder.start('A'), responder.stop('a'), responder.start('A'), responder.start('A')]);
  expect(a.events).toEqual(['A start', 'A stop', 'A start']);
});

test('what a component left behind is taken from it when it was stopped, is given up or failed', async () => {
  const clock = new ManualClock();
  const ended: string[] = [];
  const responder = new Responder({
    log: silentLog,
    clock,
    ended: async (name) => {
      ended.push(name);
      throw new Error('the queue cannot be written');
    },
  });
  const [a, b] = [probe('A'), probe('B')];
  b.stop = () => new Promise(() => {});
  for (const one of [a, b]) responder.add(one, constant({ ...usual, autoRestart: false }));
  await responder.startAll();
  await responder.stop('A');
  const given = responder.stop('B');
  await settle();
  expect(ended).toEqual(['A']);
  clock.advance(9_000);
  await given;
  expect(ended).toEqual(['A', 'B']);
  await responder.start('A');
  a.fail(new Error('broken'));
  await settle();
  expect(ended).toEqual(['A', 'B', 'A']);
});
