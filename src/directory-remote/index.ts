export { bindExternal, bindSimple, type ClientSearch, LdapClient } from './client.ts';
export { type ConnectionSettings, LdapConnection, type LdapPlace } from './connection.ts';
export { type Endpoint, parseEndpoint } from './endpoint.ts';
export type { LinkStatus } from './link.ts';
export type { RemoteOptions, TlsFiles } from './options.ts';
export { openRemoteDirectory, type RemoteDirectory } from './remote.ts';
