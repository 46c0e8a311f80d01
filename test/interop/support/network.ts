/**
 * Several hosts with addresses of their own, on one machine: network namespaces on a common bridge.
 *
 * Nothing leads out of it and nothing is left of it in the machine's own network, so hosts may have any addresses and listen on port 25. Names are
 * asked of `nameserver` there. Needs root and a kernel that makes namespaces; fails with what is missing where it cannot, and is never skipped.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { eventually } from '../../support/server.ts';
import { tempDir } from '../../support/temp.ts';
import { run } from './process.ts';
import { type Ran, tool } from './tool.ts';

export interface Host {
  readonly addresses: readonly string[];
  /** Put before a command, so that it runs there. */
  readonly command: readonly string[];
  /** Like `tool`, there. */
  tool(program: string, args: readonly string[], options?: Parameters<typeof tool>[2]): Promise<Ran>;
  /** A connection from there, from one of its addresses. Rejects when it is refused. */
  connect(address: string, port: number, from?: string): Promise<Socket>;
  /** A port of this machine's loopback that leads to a port of the host's loopback. */
  forward(port: number): Promise<number>;
  /** Who connects to a port of the host talks to us. */
  listen(port: number, onConnection: (socket: Socket) => void): Promise<void>;
}

export interface Network<Name extends string = string> {
  readonly hosts: Readonly<Record<Name, Host>>;
  /** What runs there must have been stopped. */
  close(): Promise<void>;
}

let made = 0;

export async function openNetwork<Name extends string>(
  addresses: Readonly<Record<Name, string | readonly string[]>>,
  options: { readonly nameserver?: string } = {},
): Promise<Network<Name>> {
  const names = Object.keys(addresses) as Name[];
  removeLeftOvers();
  const prefix = `mailtree-${process.pid}-${made++}`;
  const hub = `${prefix}-hub`;
  const temp = await tempDir();
  const close: (() => Promise<void>)[] = [temp.remove];
  const remove = async (): Promise<void> => {
    for (const one of close.splice(0).reverse()) await one();
    for (const name of [hub, ...names.map((one) => `${prefix}-${one}`)]) removeNamespace(name);
  };
  try {
    addNamespace(hub);
    ip('-n', hub, 'link', 'add', 'bridge', 'up', 'type', 'bridge', 'mcast_snooping', '0', 'forward_delay', '0');
    for (const name of names) addHost(`${prefix}-${name}`, hub, `to-${name}`.slice(0, 15), listOf(addresses[name]), options.nameserver);
  } catch (thrown) {
    await remove();
    throw thrown;
  }
  const entries = names.map((name) => [name, hostOf(`${prefix}-${name}`, listOf(addresses[name]), join(temp.path, name), close)] as const);
  return { hosts: Object.fromEntries(entries) as Record<Name, Host>, close: remove };
}

const listOf = (one: string | readonly string[]): readonly string[] => (typeof one === 'string' ? [one] : one);

function addHost(name: string, hub: string, port: string, addresses: readonly string[], nameserver: string | undefined): void {
  if (nameserver !== undefined) {
    // What `ip netns exec` puts in the place of the machine's own.
    mkdirSync(`/etc/netns/${name}`, { recursive: true });
    writeFileSync(`/etc/netns/${name}/resolv.conf`, `nameserver ${nameserver}\noptions timeout:2 attempts:2\n`);
  }
  addNamespace(name);
  ip('link', 'add', 'eth0', 'netns', name, 'type', 'veth', 'peer', 'name', port, 'netns', hub);
  ip('-n', hub, 'link', 'set', port, 'master', 'bridge', 'up');
  ip('-n', name, 'link', 'set', 'lo', 'up');
  ip('-n', name, 'link', 'set', 'eth0', 'up');
  // The whole Internet is on this wire. Duplicate addresses are not looked for: an address counts at once.
  for (const address of addresses)
    ip(
      '-n',
      name,
      'address',
      'add',
      `${address}/${address.includes(':') ? '128' : '32'}`,
      'dev',
      'eth0',
      ...(address.includes(':') ? ['nodad'] : []),
    );
  const [four, six] = [addresses.find((one) => !one.includes(':')), addresses.find((one) => one.includes(':'))];
  if (four) ip('-n', name, 'route', 'add', 'default', 'dev', 'eth0', 'src', four);
  if (six) ip('-n', name, '-6', 'route', 'add', 'default', 'dev', 'eth0', 'src', six);
}

function hostOf(namespace: string, addresses: readonly string[], socketPath: string, close: (() => Promise<void>)[]): Host {
  const command = ['ip', 'netns', 'exec', namespace];
  let bridge: Promise<void> | undefined;
  const startBridge = async (): Promise<void> => {
    const { child, said, gone } = run(command, [process.execPath, resolve('test/interop/support/network-bridge.mjs'), socketPath]);
    close.push(async () => {
      child.kill('SIGTERM');
      await gone;
    });
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`the bridge into ${namespace} ended: ${said()}`);
      return said().includes('ready');
    }, 30_000);
  };
  const ready = (): Promise<void> => {
    bridge ??= startBridge();
    return bridge;
  };
  const open = async (address: string, port: number, from?: string): Promise<Socket> => {
    await ready();
    return through(socketPath, { host: address, port, ...(from === undefined ? {} : { localAddress: from }) });
  };
  return {
    addresses,
    command,
    tool: (program, args, options) => tool(command[0] as string, [...command.slice(1), program, ...args], options),
    connect: open,
    async listen(port, onConnection) {
      await ready();
      const path = `${socketPath}-${port}`;
      const server = createServer(onConnection);
      await new Promise<void>((done) => server.listen(path, done));
      server.unref();
      close.push(async () => void server.close());
      (await through(socketPath, { listen: port, path })).destroy();
    },
    async forward(port) {
      const server = createServer((here) => {
        here.on('error', () => {});
        open('127.0.0.1', port).then(
          (there) => {
            here.pipe(there).pipe(here);
            here.on('close', () => there.destroy());
            there.on('close', () => here.destroy());
          },
          () => here.destroy(),
        );
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      server.unref();
      close.push(async () => void server.close());
      const at = server.address();
      return typeof at === 'object' && at ? at.port : 0;
    },
  };
}

/** A connection, or a listener, that a bridge makes: it is asked in one line and answers in one. */
function through(socketPath: string, target: object): Promise<Socket> {
  const socket = connect({ path: socketPath });
  return new Promise((done, fail) => {
    let head = '';
    const read = (): void => {
      // Octet by octet: what follows the line is the other side's already.
      for (let octet = socket.read(1) as Buffer | null; octet; octet = socket.read(1) as Buffer | null) {
        if (octet[0] !== 0x0a) {
          head += octet.toString('latin1');
          continue;
        }
        socket.off('readable', read).off('close', refused);
        if (head === 'open') done(socket);
        else {
          socket.destroy();
          fail(new Error(head));
        }
        return;
      }
    };
    const refused = (): void => fail(new Error(`no connection: ${head}`));
    socket.on('error', () => {});
    socket.on('readable', read).on('close', refused);
    socket.write(`${JSON.stringify(target)}\n`);
  });
}

function ip(...args: readonly string[]): void {
  try {
    execFileSync('ip', args, { stdio: 'pipe' });
  } catch (thrown) {
    const said = String((thrown as { stderr?: Buffer }).stderr ?? thrown).trim();
    throw new Error(`this suite needs network namespaces (root, with CAP_SYS_ADMIN and CAP_NET_ADMIN): ip ${args.join(' ')}: ${said}`);
  }
}

const addNamespace = (name: string): void => ip('netns', 'add', name);

function removeNamespace(name: string): void {
  try {
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'pipe' });
  } catch {
    // It did not come into being.
  }
  rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
}

/** Of runs that were killed. */
function removeLeftOvers(): void {
  const list = (dir: string): string[] => {
    try {
      return readdirSync(dir);
    } catch {
      return [];
    }
  };
  for (const name of new Set([...list('/run/netns'), ...list('/etc/netns')])) {
    const pid = /^mailtree-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && list(`/proc/${pid}`).length === 0) removeNamespace(name);
  }
}
