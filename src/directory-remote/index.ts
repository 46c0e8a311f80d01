export { type ClientSearch, LdapClient, type LdapPlace } from './client.ts';
