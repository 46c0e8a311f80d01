/** Where this host takes mail by SMTP, for users who may not open the server's control socket. */

import { Fault } from '../base/index.ts';
import type { Config } from '../main/index.ts';

/** Whether the control socket is there, and only others may open it. */
export const isClosed = (thrown: unknown): boolean =>
  thrown instanceof Fault && (thrown.cause as NodeJS.ErrnoException | undefined)?.code === 'EACCES';

export function smtpDoor({ host, port }: Exclude<Config['listen']['smtp'], 'off'>): { readonly host: string; readonly port: number } {
  return { host: /^(0\.0\.0\.0|::|\*)$/.test(host) ? 'localhost' : host, port };
}
