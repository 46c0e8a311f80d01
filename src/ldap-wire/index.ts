export { BerReader, BrokenBer, ber } from './ber-read.ts';
export { BerWriter } from './ber-write.ts';
export { BadRequest, decodeRequest, decodeResponse } from './decode.ts';
export {
  type Ava,
  type Dn,
  dnLimits,
  escapeDnValue,
  formatRdn,
  makeDn,
  type NamingRule,
  type Rdn,
  rdnKey,
  rebased,
  rootDn,
  useNamingRules,
} from './dn.ts';
export { parseDn, parseRdn } from './dn-parse.ts';
export { encodeRequest, encodeResponse, encodeResponseOperation, wrapOperation, writeAttribute } from './encode.ts';
export type { Filter } from './filter.ts';
export { readFilter, writeFilter } from './filter-ber.ts';
export { escapeFilterValue, filterLimits, formatFilter, parseFilter } from './filter-text.ts';
export { Framer } from './framer.ts';
export type { LdifAttribute, LdifBody, LdifControl, LdifModification, LdifRecord } from './ldif.ts';
export { type LdifBroken, LdifFault, type LdifOptions, parseLdif, readLdif, readLdifTolerant } from './ldif-read.ts';
export { formatLdifEntry, formatLdifLine, formatLdifRecord } from './ldif-write.ts';
export {
  type Control,
  type LdapResult,
  type Message,
  messageLimits,
  noticeOfDisconnection,
  type Request,
  type RequestName,
  type Response,
  responseTags,
  success,
  type WireAttribute,
  type WireModification,
  type WireSearch,
} from './message.ts';
export { beginsWithSpace, prepareExact, prepareIgnoringCase, prepareKeepingEnds } from './prepare.ts';
