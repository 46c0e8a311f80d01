/**
 * Runs in a namespace: connections asked for on a Unix socket are made from there, and connections to a port there lead to a Unix socket. The first
 * line says what is wanted, as JSON; the answer is `open`, or why not.
 */

import { connect, createServer } from 'node:net';

const halfOpen = { allowHalfOpen: true };

function join(one, other) {
  one.pipe(other).pipe(one);
  one.on('error', () => {}).on('close', () => other.destroy());
  other.on('error', () => {}).on('close', () => one.destroySoon());
}

function dial(client, target) {
  const there = connect({ ...target, ...halfOpen, noDelay: true });
  const failed = (thrown) => client.end(`${thrown.message}\n`);
  there.once('error', failed);
  there.once('connect', () => {
    there.off('error', failed);
    client.write('open\n');
    join(client, there);
  });
}

function listen(client, port, path) {
  const server = createServer({ ...halfOpen, noDelay: true }, (caller) => join(caller, connect({ path, ...halfOpen })));
  server.once('error', (thrown) => client.end(`${thrown.message}\n`));
  server.listen(port, '::', () => client.write('open\n'));
}

createServer(halfOpen, (client) => {
  let head = '';
  client.on('error', () => {});
  const read = () => {
    for (let octet = client.read(1); octet; octet = client.read(1)) {
      if (octet[0] !== 0x0a) {
        head += octet.toString('latin1');
        continue;
      }
      client.off('readable', read);
      const { listen: port, path, ...target } = JSON.parse(head);
      if (port === undefined) dial(client, target);
      else listen(client, port, path);
      return;
    }
  };
  client.on('readable', read);
}).listen(process.argv[2], () => console.log('ready'));
