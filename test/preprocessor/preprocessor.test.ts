import { afterEach, describe, expect, test } from '@jest/globals';
import { constant } from '../../src/base/index.ts';
import { loopDetectionSettings, type Module, type ModuleTask, type ModuleVerdict, wholeMatrix } from '../../src/preprocessor/index.ts';
import { readSettings } from '../../src/settings/index.ts';
import { type PipelineOptions, sample, type TestPipeline, testPipeline } from '../support/pipeline.ts';
import { collect, keysOf } from '../support/queue.ts';

const opened: TestPipeline[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(options: PipelineOptions = {}): Promise<TestPipeline> {
  const made = await testPipeline(options);
  opened.push(made);
  return made;
}

/** A module that says this. */
function saying(
  verdict: ModuleVerdict | readonly ModuleVerdict[] | ((task: ModuleTask) => ModuleVerdict),
  over: Partial<Module> = {},
): Module {
  return {
    name: 'Test',
    description: 'Says what it is told',
    version: '1',
    file: 'test',
    entry: 'cn=Test',
    matrixAttribute: 'mtTestMatrix',
    matrix: constant(wholeMatrix),
    run: async (_message, task) => (typeof verdict === 'function' ? verdict(task) : verdict),
    ...over,
  };
}

/** Everything that waits: queue, address and the text it would be sent as. */
async function waiting(one: TestPipeline): Promise<{ queue: string; address: string; sender: string; text: string }[]> {
  const found: { queue: string; address: string; sender: string; text: string }[] = [];
  for (const { message, recipients } of await collect(one.queue.list())) {
    const text = message.prefix + Buffer.from(await one.blobs.read(message.blob.id)).toString();
    for (const { queue, address } of recipients) found.push({ queue, address, sender: message.sender, text });
  }
  return found;
}

const brief = (all: { queue: string; address: string }[]): string[] => all.map(({ queue, address }) => `${queue} ${address}`);

test('every recipient is filed where routing says', async () => {
  const one = await open();
  await one.submit(['bart@ima.com', 'x@far.net', 'Anna+news@IMA.com']);
  await one.settle([one.preprocessor]);
  expect(brief(await waiting(one))).toEqual(['LOCAL bart@ima.com', 'SMTPC x@far.net', 'LOCAL anna+news@ima.com']);
});

test('two addresses of one mailbox get one copy', async () => {
  const one = await open();
  one.dit.change('bart@ima.com', { aliases: ['homer@ima.com'] });
  await one.submit(['bart@ima.com', 'homer@ima.com']);
  await one.settle();
  expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(1);
  expect(await keysOf(one.keyValue)).not.toContainEqual(expect.stringMatching(/^queue\//));
});

test('an unknown recipient is bounced to the sender, the others get their mail', async () => {
  const one = await open();
  const id = await one.submit(['bart@ima.com', 'nobody@ima.com'], `X: ${'é'.repeat(10)}\r\n${sample}`);
  await one.settle();
  expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(1);
  const [bounce, ...more] = await waiting(one);
  expect(more).toEqual([]);
  expect(bounce).toMatchObject({ queue: 'SMTPC', address: 'müller@example.com', sender: '' });
  expect(bounce?.text).toContain('Content-Type: multipart/report; report-type=global-delivery-status;');
  expect(bounce?.text).toContain('Final-Recipient: rfc822; nobody@ima.com\r\nAction: failed\r\nStatus: 5.1.1\r\n');
  expect(bounce?.text).toContain('Subject: grüße');
  expect(bounce?.text).not.toContain('Hallo');
  expect(one.lines).toContainEqual(expect.stringContaining(`Rejected ${id} size: `));
});

test('a message with the null sender is never bounced', async () => {
  const one = await open();
  await one.submit(['nobody@ima.com'], sample, { sender: '' });
  await one.settle();
  expect(await waiting(one)).toEqual([]);
  expect(one.lines).toContainEqual(expect.stringContaining('not bounced'));
});

test('by setting the postmaster gets what cannot be bounced, but nothing about mail to the postmaster', async () => {
  const one = await open();
  one.settings.preprocessor.set({ ...one.settings.preprocessor.value, copyBounces: true });
  await one.submit(['nobody@ima.com'], sample, { sender: '' });
  await one.settle();
  expect(await one.inbox('uuid-postmaster@ima.com')).toHaveLength(1);
  one.dit.recipients.length = 0;
  await one.submit(['postmaster@ima.com'], sample, { sender: '' });
  await one.settle();
  expect(await waiting(one)).toEqual([]);
});

const wishes = async (one: TestPipeline) =>
  (await collect(one.queue.list())).flatMap(({ message, recipients }) =>
    message.sender === '' ? [] : recipients.map(({ address, dsn }) => [address, dsn]),
  );

test('who asks to hear of success hears once that an address leads to several, and those behind it keep quiet about it', async () => {
  const one = await open();
  const connector = { channel: 'SMTPC', permission: 'send-receive', dn: 'cn=x' } as const;
  one.dit.change('bart@ima.com', {
    connectors: [
      { ...connector, identifier: 'first@far.net' },
      { ...connector, identifier: 'second@far.net' },
    ],
  });
  await one.submit([{ address: 'bart@ima.com', dsn: { notify: ['success', 'failure'] } }, 'anna@ima.com']);
  await one.settle([one.preprocessor]);
  const report = (await waiting(one)).find(({ sender }) => sender === '')?.text ?? '';
  expect(report).toContain('Subject: Mail handed to several addresses\r\n');
  expect(report).toContain('Final-Recipient: rfc822; bart@ima.com\r\nAction: expanded\r\nStatus: 2.0.0\r\n');
  expect(report).not.toMatch(/anna@ima\.com|first@far\.net/);
  expect(await wishes(one)).toEqual([
    ['first@far.net', { notify: ['failure'], originalRecipient: 'rfc822;bart@ima.com' }],
    ['anna@ima.com', undefined],
    ['second@far.net', { notify: ['failure'], originalRecipient: 'rfc822;bart@ima.com' }],
  ]);
});

test('of a mailbox with forwarding the mailbox tells of success, and the others do not', async () => {
  const one = await open();
  one.dit.change('bart@ima.com', { forwardTo: ['friend@far.net'] });
  await one.submit([{ address: 'bart@ima.com', dsn: { notify: ['success'], originalRecipient: 'rfc822;first@ima.com' } }]);
  await one.settle([one.preprocessor]);
  expect((await wishes(one)).sort()).toEqual([
    ['bart@ima.com', { notify: ['success'], originalRecipient: 'rfc822;first@ima.com' }],
    ['friend@far.net', { notify: ['never'], originalRecipient: 'rfc822;first@ima.com' }],
  ]);
  expect((await waiting(one)).filter(({ sender }) => sender === '')).toEqual([]);
});

test('an address that is somewhere else hands the wish for success on, and names itself', async () => {
  const one = await open();
  one.dit.change('bart@ima.com', { routingAddress: 'friend@far.net' });
  await one.submit([{ address: 'bart@ima.com', dsn: { notify: ['success'] } }]);
  await one.settle([one.preprocessor]);
  expect(await wishes(one)).toEqual([['friend@far.net', { notify: ['success'], originalRecipient: 'rfc822;bart@ima.com' }]]);
});

test('a sender who does not want to hear of failures does not', async () => {
  const one = await open();
  await one.submit([
    { address: 'nobody@ima.com', dsn: { notify: ['never'] } },
    { address: 'none@ima.com', dsn: { notify: ['success', 'delay'] } },
  ]);
  await one.settle();
  expect(await waiting(one)).toEqual([]);
});

test('a bounce carries the whole message where the sender asks for it and nothing that breaks out of its part', async () => {
  const one = await open();
  await one.submit(
    [{ address: 'nobody@ima.com', dsn: { originalRecipient: 'rfc822;x\r\nAction: delivered' } }],
    'Subject: a\nB: c\n\nbare\nlines\0\n',
    {
      sender: 'a@far.net',
      ret: 'full',
      envelopeId: 'QQ\r\nX: y',
      smtputf8: false,
    },
  );
  await one.settle();
  const [bounce] = await waiting(one);
  expect(bounce?.text).toContain('Content-Type: message/rfc822\r\n');
  expect(bounce?.text).toContain('bare\r\nlines\r\n');
  expect(bounce?.text).toContain('Original-Envelope-Id: QQ X: y\r\n');
  expect(bounce?.text).toContain('Original-Recipient: rfc822;x Action: delivered\r\n');
  expect(bounce?.text.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/);
});

test('while the directory is away mail waits and is not bounced', async () => {
  const one = await open();
  one.dit.away.add('bart@ima.com');
  const id = await one.submit(['bart@ima.com', 'anna@ima.com']);
  await one.settle();
  expect(await one.inbox('uuid-anna@ima.com')).toHaveLength(1);
  expect((await one.queue.get(id))?.recipients).toMatchObject([{ queue: 'INPUT', attempts: 1, reason: 'the directory is away' }]);
  one.dit.away.clear();
  one.clock.advance(100_000);
  await one.settle();
  expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(1);
});

test('a message that makes us fail is held and reported in the end, and holds up nobody', async () => {
  const one = await open();
  one.dit.broken.add('poison@ima.com');
  const id = await one.submit(['poison@ima.com']);
  for (let n = 0; n < 8; n++) {
    await one.submit(['bart@ima.com']);
    await one.settle();
    one.clock.advance(3_700_000);
  }
  await one.settle();
  expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(8);
  expect((await one.queue.get(id))?.recipients[0]?.reason).toMatch(/^held: /);
  expect(await one.inbox('uuid-postmaster@ima.com')).toHaveLength(1);
});

describe('modules', () => {
  test('never run where the matrix says none, which the setting takes', async () => {
    const attribute = loopDetectionSettings.settings.matrix.attribute;
    const read = readSettings(loopDetectionSettings, (name) => (name === attribute ? ['none'] : []));
    expect(read).toMatchObject({ value: { matrix: ['none'] }, problems: [] });
    let runs = 0;
    const count = (): ModuleVerdict => {
      runs++;
      return { is: 'pass' };
    };
    const one = await open({ modules: [saying(count, { matrix: constant(read.value.matrix) })] });
    await one.submit(['bart@ima.com', 'x@far.net']);
    await one.settle([one.preprocessor]);
    expect(runs).toBe(0);
  });

  test('run only for cells of the matrix that are marked', async () => {
    const asked: string[] = [];
    const note = (task: ModuleTask): ModuleVerdict => {
      asked.push(`${task.input} ${task.outputs.join()} ${task.recipients.map(({ address }) => address).join()}`);
      return { is: 'pass' };
    };
    const one = await open({ modules: [saying(note, { matrix: constant(['SMTPD LOCAL', 'WEBMAIL SMTPC']) })] });
    await one.submit(['bart@ima.com', 'x@far.net']);
    await one.submit(['anna@ima.com'], sample, { inputChannel: 'WEBMAIL' });
    await one.settle([one.preprocessor]);
    expect(asked).toEqual(['SMTPD LOCAL bart@ima.com']);
  });

  test('that throw or want to wait delay the whole message and no other', async () => {
    const module = saying(() => ({ is: 'pass' }), {
      async run(message) {
        const text = Buffer.from(await message.read()).toString();
        if (text.includes('crash')) throw new TypeError('broken module');
        return text.includes('wait') ? { is: 'defer', text: 'scanner is away' } : { is: 'pass' };
      },
    });
    const one = await open({ modules: [module] });
    const crash = await one.submit(['bart@ima.com', 'x@far.net'], 'A: b\r\n\r\ncrash\r\n');
    const wait = await one.submit(['bart@ima.com'], 'A: b\r\n\r\nwait\r\n');
    await one.submit(['anna@ima.com']);
    await one.settle();
    expect(await one.inbox('uuid-anna@ima.com')).toHaveLength(1);
    expect((await one.queue.get(crash))?.recipients).toMatchObject([
      { queue: 'INPUT', attempts: 1 },
      { queue: 'INPUT', attempts: 1 },
    ]);
    expect((await one.queue.get(wait))?.recipients).toMatchObject([{ queue: 'INPUT', reason: 'scanner is away' }]);
  });

  test('bounce for just the recipients they name', async () => {
    const one = await open({
      modules: [saying(({ recipients }) => ({ is: 'bounce', status: '5.7.1', text: 'nicht erwünscht', only: recipients.slice(1) }))],
    });
    await one.submit(['bart@ima.com', 'anna@ima.com']);
    await one.settle();
    expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(1);
    expect(await one.inbox('uuid-anna@ima.com')).toHaveLength(0);
    const [bounce] = await waiting(one);
    expect(bounce?.text).toContain('Final-Recipient: rfc822; anna@ima.com');
    expect(bounce?.text).toContain('nicht erwünscht');
  });

  test('discard with a log line', async () => {
    const one = await open({ modules: [saying({ is: 'discard', text: 'spam' })] });
    await one.submit(['bart@ima.com']);
    await one.settle();
    expect(await waiting(one)).toEqual([]);
    expect(await one.inbox('uuid-bart@ima.com')).toEqual([]);
    expect(one.lines).toContainEqual(expect.stringMatching(/^Discarded .* to bart@ima.com .*: spam$/));
  });

  test('replace the bytes for just those recipients whose cell is marked', async () => {
    const bytes = Buffer.from('Subject: gereinigt\r\n\r\nsauber\r\n');
    const one = await open({ modules: [saying({ is: 'replace', bytes }, { matrix: constant(['SMTPD LOCAL']) })] });
    await one.submit(['bart@ima.com', 'x@far.net', { address: 'anna@ima.com', dsn: { notify: ['success'] } }]);
    await one.settle([one.preprocessor]);
    const found = await waiting(one);
    const textOf = (address: string): string | undefined => found.find((item) => item.address === address)?.text;
    expect(textOf('bart@ima.com')).toContain('sauber');
    expect(textOf('anna@ima.com')).toContain('sauber');
    expect(textOf('x@far.net')).toContain('Hallo');
    await one.settle();
    expect(await one.inbox('uuid-bart@ima.com')).toEqual([expect.stringContaining('gereinigt')]);
  });

  test('see what modules before them have changed', async () => {
    const seen: string[] = [];
    const one = await open({
      modules: [
        saying({ is: 'replace', prefix: 'X-Verdict: gut\r\n' }),
        saying(
          { is: 'pass' },
          {
            async run(message) {
              seen.push(message.prefix);
              return { is: 'pass' };
            },
          },
        ),
      ],
    });
    await one.submit(['bart@ima.com']);
    await one.settle();
    expect(seen).toEqual(['X-Verdict: gut\r\n']);
    expect(await one.inbox('uuid-bart@ima.com')).toEqual([expect.stringContaining('X-Verdict: gut\r\nSubject')]);
  });
});

describe('loop detection', () => {
  const trips = (count: number, host = 'MAIL.ima.com'): string =>
    Array.from(
      { length: count },
      (_, n) => `Received: from x (y)\r\n\tby ${host} with ESMTP id ${n}; Tue, 1 Jan 2030 00:00:00 +0000\r\n`,
    ).join('');

  test.each([
    ['as many of our lines as allowed', trips(10), false],
    ['one more', trips(11), true],
    ['many lines of others', trips(60, 'mail.ima.com.other.net') + trips(30, 'xmail.ima.com'), false],
    ['more than a hundred lines of anybody', trips(101, 'other.net'), true],
    ['our name only in the from clause', 'Received: from mail.ima.com (by x) by other.net\r\n'.repeat(20), false],
    ['our lines with strange spacing', 'Received: from x\r\n by\t mail.ima.com(Postfix)\r\n'.repeat(11), true],
  ])('%s', async (_name, header, loops) => {
    const one = await open();
    await one.submit(['bart@ima.com'], header + sample);
    await one.settle();
    expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(loops ? 0 : 1);
    expect(await waiting(one)).toHaveLength(loops ? 1 : 0);
  });

  test('hands looping items to the postmaster where that is set, those of the null sender, too', async () => {
    const one = await open();
    one.settings.loop.set({ ...one.settings.loop.value, toPostmaster: true });
    await one.submit(['bart@ima.com'], trips(11) + sample);
    await one.submit(['bart@ima.com'], trips(11) + sample, { sender: '' });
    await one.settle();
    expect(await one.inbox('uuid-postmaster@ima.com')).toHaveLength(2);
    expect(await waiting(one)).toEqual([]);
  });

  test('tells the postmaster nothing about what it told the postmaster already', async () => {
    const one = await open();
    one.settings.loop.set({ ...one.settings.loop.value, toPostmaster: true });
    const ours = 'From: Mail Delivery System <MAILER-DAEMON@mail.ima.com>\r\n';
    await one.submit(['bart@ima.com'], ours + trips(11) + sample, { sender: '' });
    await one.submit(['postmaster@ima.com'], trips(11) + sample, { sender: '' });
    await one.settle();
    expect(await one.inbox('uuid-postmaster@ima.com')).toEqual([]);
    expect(await waiting(one)).toEqual([]);
  });

  test('does not run for a channel whose cell is not marked', async () => {
    const one = await open();
    one.settings.loop.set({ ...one.settings.loop.value, matrix: ['SMTPD SMTPC'] });
    await one.submit(['bart@ima.com'], trips(11) + sample);
    await one.settle();
    expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(1);
  });
});

test('the postmaster hears of a record that cannot be read, unless the setting says otherwise, and other mail goes on', async () => {
  for (const notifyPostmaster of [true, false]) {
    const one = await open();
    one.settings.preprocessor.set({ ...one.settings.preprocessor.value, notifyPostmaster });
    const damaged = 'queue/d/INPUT/00000000000000/00000000damaged/0';
    await one.keyValue.transact(async () => ({ puts: [[damaged, Buffer.from('3:0')]], result: undefined }), 'durable');
    await one.submit(['bart@ima.com']);
    await one.settle();
    expect(await one.inbox('uuid-bart@ima.com')).toHaveLength(1);
    // What was heard of while it was stopped is filed at the next start.
    await one.settle();
    const notes = await one.inbox('uuid-postmaster@ima.com');
    expect(notes).toHaveLength(notifyPostmaster ? 1 : 0);
    if (notifyPostmaster) expect(notes[0]).toContain('00000000damaged 0 in INPUT, 3 recipients: message or slip is missing');
    expect((await one.queue.summary())[0]).toMatchObject({ queue: 'INPUT', pending: 0, aside: 3 });
  }
});

test('a module that does not come to an end within its time delays its message and no other, and is told', async () => {
  const signals: AbortSignal[] = [];
  const stuck = saying(
    { is: 'pass' },
    {
      name: 'Stuck',
      run: async (message, { signal }) => {
        if (!message.message.sender.startsWith('slow@')) return { is: 'pass' };
        signals.push(signal);
        return await new Promise<never>(() => {});
      },
    },
  );
  const one = await open({ modules: [stuck] });
  one.settings.preprocessor.set({ ...one.settings.preprocessor.value, moduleTime: 30 });
  const slow = await one.submit(['bart@ima.com'], sample, { sender: 'slow@example.com' });
  await one.submit(['anna@ima.com']);
  await one.preprocessor.start(() => {});
  await one.lmda.start(() => {});
  while ((await one.inbox('uuid-anna@ima.com')).length === 0 || signals.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(signals[0]?.aborted).toBe(false);
  one.clock.advance(30_000);
  expect(signals[0]?.aborted).toBe(true);
  while ((await one.queue.get(slow))?.recipients[0]?.reason === undefined) await new Promise((resolve) => setImmediate(resolve));
  expect(await one.queue.get(slow)).toMatchObject({ recipients: [{ queue: 'INPUT', attempts: 1, reason: 'a module failed' }] });
  expect(one.lines).toContainEqual(expect.stringContaining('processing failed and is tried again'));
  await one.preprocessor.stop();
  await one.lmda.stop();
});
