/** Runs in a namespace: connections asked for on a Unix socket are made from there. The first line says where to, as JSON; the answer is `open`, or why not. */

import { connect, createServer } from 'node:net';

createServer({ allowHalfOpen: true }, (client) => {
  let head = '';
  let opened = false;
  client.on('error', () => {});
  const read = () => {
    for (let octet = client.read(1); octet; octet = client.read(1)) {
      if (octet[0] !== 0x0a) {
        head += octet.toString('latin1');
        continue;
      }
      client.off('readable', read);
      const there = connect({ ...JSON.parse(head), allowHalfOpen: true, noDelay: true });
      there.once('connect', () => {
        opened = true;
        client.write('open\n');
        client.pipe(there).pipe(client);
      });
      there.on('error', (thrown) => (opened ? client.destroy() : client.end(`${thrown.message}\n`)));
      there.on('close', () => client.destroySoon());
      client.on('close', () => there.destroy());
      return;
    }
  };
  client.on('readable', read);
}).listen(process.argv[2], () => console.log('ready'));
