/** The view under stress over OpenLDAP, with a network that breaks in the middle of it. */

import { openRemoteDirectory } from '../../src/directory-remote/index.ts';
import { liveViewContract } from '../contracts/live-view.ts';
import { createSlapd, remoteOptions } from '../support/slapd.ts';
import { openProxy } from '../support/tcp-proxy.ts';
import { freePort } from '../support/temp.ts';

for (const sessionLog of [0, 10_000])
  liveViewContract(
    sessionLog ? 'OpenLDAP with a session log' : 'OpenLDAP without a session log',
    async () => {
      const slapd = await createSlapd({ sessionLog });
      await slapd.start();
      const proxy = await openProxy(await freePort(), slapd.port);
      const { directory, ready } = openRemoteDirectory(remoteOptions([`ldap://127.0.0.1:${proxy.port}`]));
      await ready;
      return {
        directory,
        trusted: false,
        disturb: async () => {
          await proxy.cut();
          await proxy.heal();
        },
        async close() {
          await directory.close();
          await proxy.close();
          await slapd.remove();
        },
      };
    },
    { rounds: 6, writes: 600 },
  );
