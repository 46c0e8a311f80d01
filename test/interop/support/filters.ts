/**
 * Searches to compare two servers by: made from the entries they hold, the same every time.
 *
 * Every kind of filter item, in spellings that must match and in some that must not, alone and in nests; scopes, bases, selections and limits
 * take turns.
 */

import type { Entry } from '../../../src/directory/index.ts';
import { escapeFilterValue } from '../../../src/ldap-wire/index.ts';

export interface Query {
  readonly base: string;
  readonly scope: 'base' | 'one' | 'sub';
  readonly filter: string;
  readonly attributes: readonly string[];
  readonly typesOnly: boolean;
  readonly sizeLimit: number;
}

/** Numbers that look like chance and are not (mulberry32). */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const text = (value: string): string => escapeFilterValue(value);
const swapCase = (value: string): string =>
  [...value].map((c) => (/^[a-z]$/.test(c) ? c.toUpperCase() : /^[A-Z]$/.test(c) ? c.toLowerCase() : c)).join('');

/** Items about one value of one attribute: spellings of equality, every combination of substring parts, comparisons. */
function itemsFor(attribute: string, value: string, pick: (below: number) => number): string[] {
  const letters = [...value];
  const [a, b] = [Math.floor(letters.length / 3), Math.floor((2 * letters.length) / 3)];
  const cut = (from: number, to: number): string => text(letters.slice(from, to).join(''));
  const items = [
    `(${attribute}=${text(value)})`,
    `(${attribute}=${text(swapCase(value))})`,
    `(${attribute}=  ${text(value.replaceAll(' ', '   '))} )`,
    `(${attribute}=${text(value.replaceAll(' ', ''))})`,
    `(${attribute}=${text(value)}x)`,
    `(${attribute}>=${text(value)})`,
    `(${attribute}<=${text(value)})`,
    `(${attribute}:=${text(value)})`,
    `(!(${attribute}=${text(value)}))`,
    `(${attribute}=*)`,
  ];
  if (letters.length >= 3)
    items.push(
      `(${attribute}=${cut(0, a)}*)`,
      `(${attribute}=*${cut(b, letters.length)})`,
      `(${attribute}=*${cut(a, b)}*)`,
      `(${attribute}=${cut(0, a)}*${cut(b, letters.length)})`,
      `(${attribute}=${cut(0, a)}*${cut(a, b)}*)`,
      `(${attribute}=*${cut(a, b)}*${cut(b, letters.length)})`,
      `(${attribute}=${text(swapCase(letters.slice(0, a).join('')))}*${cut(a, b)}*${cut(b, letters.length)})`,
      `(${attribute}=*${cut(0, a)}*${cut(a, b)}*${cut(b, letters.length)}*)`,
      `(${attribute}=*${cut(b, letters.length)}*${cut(0, a)}*)`,
    );
  return [0, 1, 2, 3, 4, 5, 6].map(() => items[pick(items.length)] ?? '');
}

/** Items that no data suggests. */
const fixed = [
  ...['(objectClass=*)', '(&)', '(|)', '(!(&))', '(!(|))', '(objectClass=person)', '(objectClass=2.5.6.6)', '(objectClass=TOP)'],
  ...['(objectClass=noSuchClass)', '(!(objectClass=noSuchClass))', '(objectClass=organizationalperson)', '(objectClass=inetOrg*)'],
  ...[
    '(noSuch=x)',
    '(!(noSuch=x))',
    '(noSuch=*)',
    '(!(noSuch=*))',
    '(noSuch>=1)',
    '(!(noSuch=*a*))',
    '(|(noSuch=x)(cn=*))',
    '(!(&(noSuch=x)(cn=*)))',
  ],
  ...[
    '(&(cn=*)(!(noSuch=x)))',
    '(!(|(noSuch=x)(!(cn=*))))',
    '(name=*)',
    '(!(name=*))',
    '(2.5.4.41=*)',
    '(distinguishedName=*)',
    '(commonName=*)',
  ],
  ...[
    '(cn=)',
    '(!(cn=))',
    '(cn>=a)',
    '(!(cn>=a))',
    '(mail=é)',
    '(!(mail=é))',
    '(!(mail=*é*))',
    '(c=USA)',
    '(!(c=USA))',
    '(cn:caseExactMatch:=x)',
  ],
  ...[
    '(member=foo)',
    '(!(member=foo))',
    '(!(member=cn=nobody))',
    '(member=)',
    '(!(seeAlso=))',
    '(uniqueMember=foo)',
    '(telephoneNumber=é)',
  ],
  ...[
    '(!(telephoneNumber=é))',
    '(telephoneNumber=*-*)',
    '(telephoneNumber=* *)',
    '(createTimestamp>=20000101000000Z)',
    '(createTimestamp>=foo)',
  ],
  ...[
    '(!(createTimestamp<=foo))',
    '(createTimestamp<=20000101000000Z)',
    '(modifyTimestamp=*)',
    '(entryUUID=*)',
    '(entryUUID=x)',
    '(!(entryUUID=x))',
  ],
  ...['(hasSubordinates=TRUE)', '(hasSubordinates=FALSE)', '(!(hasSubordinates=true))', '(structuralObjectClass=organizationalUnit)'],
  ...[
    '(structuralObjectClass=*)',
    '(subschemaSubentry=cn=subschema)',
    '(userCertificate=*)',
    '(jpegPhoto=*)',
    '(!(jpegPhoto=x))',
    '(cn;lang-en=*)',
  ],
  ...[
    '(cn;lang-en-=*)',
    '(cn;lang-=*)',
    '(cn;x-none=*)',
    '(!(cn;x-none=*))',
    '(name;lang-en=*)',
    '(cn;LANG-EN=*)',
    '(cn;lang-en-gb=*esq*)',
  ],
  ...[
    '(ou:dn:=people)',
    '(dc:dn:=EXAMPLE)',
    '(ou:dn:caseIgnoreMatch:=Groups)',
    '(:dn:caseIgnoreMatch:=people)',
    '(:caseExactMatch:=x)',
    '(!(ou:dn:=people))',
  ],
  ...[
    '(c:dn:=us)',
    '(o:dn:2.5.13.2:=sgi)',
    '(cn:noSuchRule:=x)',
    '(!(cn:noSuchRule:=x))',
    '(cn:integerMatch:=5)',
    '(!(cn:integerMatch:=5))',
  ],
  ...[
    '(noSuch:caseExactMatch:=x)',
    '(!(noSuch:dn:=x))',
    '(mail:caseExactMatch:=x)',
    '(!(mail:caseExactMatch:=x))',
    '(uidNumber=042)',
    '(!(uidNumber=x))',
  ],
  ...[
    '(uidNumber>=5)',
    '(uidNumber<=5)',
    '(!(uidNumber>=5))',
    '(gidNumber>=10)',
    '(testNumber>=-20)',
    '(testNumber<=99)',
    '(testNumber>=100)',
  ],
  ...[
    '(testTime>=20050304001801.2Z)',
    '(testTime=20050304001801.250Z)',
    '(testTime=19941216103200Z)',
    '(testTime=200503040018Z)',
    '(testTime=2005)',
  ],
  ...[
    '(testTime<=20050304011801+0100)',
    '(testTime:generalizedTimeOrderingMatch:=20050304001801Z)',
    '(testUUID=597AE2F6-16A6-1027-98F4-ABCDEFABCDEF)',
  ],
  ...[
    '(testUUID>=00000000-0000-0000-0000-000000000002)',
    '(testFlag=TRUE)',
    '(testFlag=true)',
    "(testBits='0101'B)",
    "(testBits='01010'B)",
    '(testBits=x)',
  ],
  ...[
    '(testExact=Case Matters)',
    '(testExact=case  matters)',
    '(testExact=Case*)',
    '(testExact=*MATTERS)',
    '(testExact>=D)',
    '(testOrdered>=b)',
  ],
  ...[
    '(testOrdered<=APPLE PIE)',
    '(testOrdered>=apple)',
    '(testOctets=\\00\\01\\02\\03)',
    '(testOctets=\\00\\01)',
    '(testOctets>=\\00)',
    '(x121Address=15079672)',
  ],
  ...[
    '(x121Address=1 50 79672)',
    '(x121Address=1*2)',
    '(telephoneNumber=+498912 3456)',
    '(telephoneNumber=+49*)',
    '(telephoneNumber=*89-77*)',
  ],
  ...[
    '(description=*\\2a*)',
    '(description=*\\28paren*\\29*)',
    '(description=*\\5c*)',
    '(description=two spaces three)',
    '(description=*o s*s t*)',
  ],
  ...[
    '(cn=BJÖRN MÜLLER)',
    '(cn=bjo\\cc\\88rn mu\\cc\\88ller)',
    '(cn=*ö*)',
    '(cn=日*)',
    '(cn=*太*)',
    '(cn=comma, plus+ #x)',
    '(cn=Comma\\2c*)',
    '(sn=M\\c3\\9cLLER)',
  ],
  ...['(postalAddress=straße 1$80331 münchen$deutschland)', '(postalAddress=Straße 1 $ 80331 München)', '(postalAddress=*münchen*)'],
  ...[
    "(uniqueMember=cn=manager,DC=example,dc=com#'01'B)",
    '(uniqueMember=CN=Manager, dc=EXAMPLE,dc=com)',
    "(uniqueMember=cn=Manager,dc=example,dc=com#'0'B)",
  ],
  ...[
    '(seeAlso=cn=barbara jensen,ou=information technology division,ou=people,dc=example,dc=com)',
    '(seeAlso=2.5.4.3=bj\\5cC3\\5cB6rn M\\c3\\bcller,ou=odd,dc=example,dc=com)',
  ],
  ...[
    '(entryDN=CN=Manager,dc=example,dc=com)',
    '(entryDN=*)',
    '(testNumber:1.2.840.113556.1.4.803:=4)',
    '(testNumber:1.2.840.113556.1.4.804:=3)',
    '(cn~=Jane Doe)',
  ],
  ...[
    '(ipServicePort>=6000)',
    '(ipServicePort=25)',
    '(ipServiceProtocol=tcp)',
    '(memberUid=ROOT)',
    '(memberUid=root)',
    '(homeDirectory=/usr*)',
    '(ipNetworkNumber=192.*)',
  ],
  ...[
    '(&(objectClass=ipService)(cn=s*)(!(ipServiceProtocol=udp)))',
    '(|(cn=smtp)(cn=domain)(ipProtocolNumber=6))',
    '(oncRpcNumber>=100000)',
    '(macAddress=*)',
  ],
];

const selections: readonly (readonly string[])[] = [
  [],
  ['*'],
  ['1.1'],
  ['cn', 'SN', 'noSuch'],
  ['*', '+'],
  ['+'],
  ['name'],
  ['@person'],
  ['@organizationalUnit', 'cn'],
  ['@noSuchClass', 'ou'],
  ['commonName', '2.5.4.4'],
  ['cn;lang-en'],
  ['cn;lang-en-'],
  ['distinguishedName'],
  ['objectClass', 'structuralObjectClass'],
  ['1.1', 'cn'],
  ['description', 'hasSubordinates', 'entryDN'],
];

function nest(items: readonly string[], pick: (below: number) => number, depth: number): string {
  const any = (): string => items[pick(items.length)] ?? '';
  if (depth === 0) return any();
  const inner = (): string => nest(items, pick, depth - 1 - pick(2) < 0 ? 0 : depth - 1);
  switch (pick(3)) {
    case 0:
      return `(&${inner()}${inner()}${pick(2) ? any() : ''})`;
    case 1:
      return `(|${inner()}${inner()}${pick(2) ? any() : ''})`;
    default:
      return `(!${inner()})`;
  }
}

/** Searches over these entries, the first of which is the suffix. */
export function queriesFor(entries: readonly Entry[], seed: number): Query[] {
  const pick = numbers(seed);
  const values = entries.flatMap((entry) =>
    [...entry.attributes.values()]
      .filter(({ name }) => !/^(?:userPassword|objectClass|jpegPhoto)$/i.test(name))
      .flatMap(({ name, values: all }) =>
        all.flatMap((value) => (typeof value === 'string' && value.length < 200 ? [{ name, value }] : [])),
      ),
  );
  const attributes = [...new Set(values.map(({ name }) => name))];
  const fromData = attributes.flatMap((name) => {
    const own = values.filter((each) => each.name === name);
    return [0, 1, 2].flatMap(() => itemsFor(name, own[pick(own.length)]?.value ?? 'x', pick));
  });
  const items = [...new Set([...fixed, ...fromData])];
  const filters = [...items, ...Array.from({ length: 150 }, (_, n) => nest(items, pick, 1 + (n % 3)))];
  const suffix = entries[0]?.dn.toString() ?? '';
  const names = entries.map((entry) => entry.dn.toString());
  return filters.map((filter, n) => {
    // Most searches take everything, so that the filter decides.
    const scope = n % 5 === 3 ? 'one' : n % 5 === 4 ? 'base' : 'sub';
    const somewhere = names[pick(names.length)] ?? suffix;
    return {
      base: n % 23 === 22 ? `cn=missing,${somewhere}` : scope === 'sub' && n % 3 !== 0 ? suffix : somewhere,
      scope,
      filter,
      attributes: selections[n % selections.length] ?? [],
      typesOnly: n % 19 === 18,
      sizeLimit: n % 29 === 28 ? 3 : 0,
    };
  });
}
