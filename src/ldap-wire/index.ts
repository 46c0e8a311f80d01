export { type Ava, type Dn, dnLimits, escapeDnValue, formatRdn, makeDn, type Rdn, rdnKey, rootDn } from './dn.ts';
export { parseDn, parseRdn } from './dn-parse.ts';
export type { Filter } from './filter.ts';
export { escapeFilterValue, filterLimits, formatFilter, parseFilter } from './filter-text.ts';
export type { LdifAttribute, LdifBody, LdifControl, LdifModification, LdifRecord } from './ldif.ts';
export { type LdifOptions, parseLdif, readLdif } from './ldif-read.ts';
export { formatLdifEntry, formatLdifLine, formatLdifRecord } from './ldif-write.ts';
export { prepareExact, prepareIgnoringCase } from './prepare.ts';
