/** Components are stopped and started, and the server is ended, while mail is under way in every state: all that was taken arrives, once. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { mailboxContents } from '../support/load.ts';
import { change, Dialog, ldapAdministrator, plain, waiting } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  sink = await startSink();
  dns = await startFakeDns({ 'far.test': { mx: [[10, 'mx.far.test']] }, 'mx.far.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
  await ldap.unbind();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), files.remove()]);
});

const local = ['user1@example.test', 'user2@example.test'];
const far = ['a@far.test', 'b@far.test'];

/** Sends until it is told to end, over new connections where one is lost. */
class Load {
  readonly answered: string[] = [];
  readonly begun: string[] = [];
  #ending = false;
  #running: Promise<unknown> = Promise.resolve();

  begin(): void {
    this.#ending = false;
    this.#running = Promise.all([0, 1, 2].map((worker) => this.#work(worker)));
  }

  async end(): Promise<void> {
    this.#ending = true;
    await this.#running;
  }

  async #work(worker: number): Promise<void> {
    while (!this.#ending) {
      const dialog = await Dialog.open(files.ports.submission).catch(() => undefined);
      if (dialog) await this.#session(dialog, worker);
      else await new Promise((resolve) => setImmediate(resolve));
      dialog?.end();
    }
  }

  async #session(dialog: Dialog, worker: number): Promise<void> {
    const says = async (line: string, wanted: RegExp): Promise<boolean> => wanted.test(await dialog.say(line));
    if (!/^220/.test(await dialog.reply())) return;
    if (!(await says('EHLO load.test', /^250/)) || !(await says(plain('user3@example.test', password), /^235/))) return;
    while (!this.#ending && dialog.open) {
      const id = `m${worker}-${this.begun.length}`;
      this.begun.push(id);
      for (const line of ['MAIL FROM:<user3@example.test>', ...[...local, ...far].map((to) => `RCPT TO:<${to}>`), 'DATA'])
        if (!(await says(line, /^[23]/))) return;
      if (!(await says(`X-Load-Id: ${id}\r\nSubject: ${id}\r\n\r\ntext\r\n.`, /^250/))) return;
      this.answered.push(id);
    }
  }
}

/** What each recipient has, how often. */
async function arrived(): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const count = (key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const user of local) for (const { id } of await mailboxContents(files, user)) count(`${id} ${user}`);
  for (const { data, to } of sink.messages) for (const one of to) count(`${/^X-Load-Id: (.*)$/m.exec(data)?.[1]} ${one}`);
  return counts;
}

test('whatever is stopped and started while mail is under way, all of it arrives once', async () => {
  const load = new Load();
  load.begin();
  const enough = async (more: number): Promise<void> => {
    const from = load.answered.length;
    await eventually(async () => load.answered.length >= from + more, 30_000);
  };
  for (const component of ['PREPROCESSOR', 'LMDA', 'SMTPC', 'SMTPD', 'PREPROCESSOR', 'SMTPC']) {
    await enough(5);
    for (const what of ['stop', 'start'])
      expect([component, what, (await command('mailtree', ['component', what, component], files)).code]).toEqual([component, what, 0]);
  }
  await enough(10);
  // And all of it, under load.
  const ended = server.stop();
  await load.end();
  expect(await ended).toBe(0);
  server = await runServer(files);
  load.begin();
  await enough(5);
  await load.end();

  await eventually(async () => (await waiting(files)).length === 0, 60_000);
  const counts = await arrived();
  const wrong = load.begun.flatMap((id) => {
    const there = [...local, ...far].map((to) => counts.get(`${id} ${to}`) ?? 0);
    const once = there.every((n) => n === 1);
    return once || (!load.answered.includes(id) && there.every((n) => n === 0)) ? [] : [`${id}: ${there}`];
  });
  expect(wrong).toEqual([]);
  expect(load.answered.length).toBeGreaterThan(40);
}, 180_000);
