/** The resolver as the settings want it. Source: checklist SMTPC-05 */

import { type Clock, createResolver, type DnsServer, type Live, type Resolver } from '../base/index.ts';
import type { SmtpcSettings } from './smtpc.ts';

/** Follows the settings; the size of the cache is taken once. */
export function resolverFromSettings(settings: Live<SmtpcSettings>, clock?: Clock): Resolver {
  const servers: Live<readonly DnsServer[]> = {
    get value() {
      return settings.value.dnsServers.map(serverOf);
    },
    onChange: (listener) =>
      settings.onChange((now, before) => {
        if (now.dnsServers.join() !== before.dnsServers.join()) listener(now.dnsServers.map(serverOf), before.dnsServers.map(serverOf));
      }),
  };
  return createResolver({
    servers,
    retries: () => settings.value.dnsRetries,
    timeoutMs: () => settings.value.dnsTimeout * 1_000,
    cacheSize: settings.value.dnsCacheSize,
    ...(clock ? { clock } : {}),
  });
}

/** `192.0.2.1` or `192.0.2.1#5353`. */
function serverOf(text: string): DnsServer {
  const [host = '', port] = text.split('#');
  return { host, port: port === undefined ? 53 : Number(port) };
}
