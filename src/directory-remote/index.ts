export { namesIn } from './class-tree.ts';
export { bindExternal, bindSimple, type ClientSearch, LdapClient } from './client.ts';
export { type ConnectionSettings, LdapConnection, type LdapPlace } from './connection.ts';
export { type Endpoint, parseEndpoint } from './endpoint.ts';
export type { LinkStatus } from './link.ts';
export type { Bases, RemoteOptions, ServiceOptions, TlsFiles } from './options.ts';
export { saltedSha1 } from './passwords.ts';
export { openRemoteDirectory, type RemoteDirectory } from './remote.ts';
export { connectService } from './service-client.ts';
