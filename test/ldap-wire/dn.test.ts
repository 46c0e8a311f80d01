import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { dnLimits, escapeDnValue, formatRdn, makeDn, parseDn, parseRdn, rootDn } from '../../src/ldap-wire/index.ts';

const complaint = (run: () => unknown): string => {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === 'malformed') return thrown.say;
    throw thrown;
  }
  return 'accepted';
};

test.each([
  ['cn', 0],
  ['=x', 0],
  ['cn=a,', 5],
  [',cn=a', 0],
  ['cn=a,,dc=b', 5],
  ['cn=a"b', 4],
  ['cn=a;dc=b', 4],
  ['cn=<a>', 3],
  ['cn=a\u0000', 4],
  ['cn=a\\', 4],
  ['cn=\\zz', 3],
  ['cn=\\4', 3],
  ['cn=\\ff\\fe', 3],
  ['cn=\\C4', 3],
  ['cn=#', 3],
  ['cn=#0', 3],
  ['cn=#0402', 3],
  ['cn=#04024869zz', 12],
  ['cn=#048000', 3],
  ['cn=#1f0100', 3],
  ['cn=a+', 5],
  ['1.=x', 0],
  ['01.2=x', 0],
  ['c_n=x', 0],
  ['cn;lang-en=x', 0],
])('the malformed name %j is refused at position %i', (text, position) => {
  expect(complaint(() => parseDn(text))).toContain(`position ${position}:`);
});

test('a name beyond the limits is refused, not worked on', () => {
  expect(complaint(() => parseDn(`${'dc=a,'.repeat(dnLimits.levels)}dc=b`))).toContain('levels');
  expect(complaint(() => parseDn(`cn=${'x'.repeat(dnLimits.length)}`))).toContain('longer');
  expect(
    complaint(() =>
      parseDn(
        Array(dnLimits.pairs + 1)
          .fill('cn=a')
          .join('+'),
      ),
    ),
  ).toContain('attributes');
  expect(complaint(() => makeDn([[]]))).toContain('at least one');
  expect(complaint(() => rootDn.child([{ type: 'c n', value: 'x' }]))).toContain('not an attribute type');
});

test.each([
  ['', 0, ''],
  ['   ', 0, ''],
  ['dc=jade,dc=net', 2, 'dc=jade,dc=net'],
  ['DC=Jade,dc=NET', 2, 'DC=Jade,dc=NET'],
  [' mail = u1@jade.net , dc = jade', 2, 'mail=u1@jade.net,dc=jade'],
  ['OU=Sales+CN=J.  Smith,DC=example', 2, 'OU=Sales+CN=J.  Smith,DC=example'],
  ['CN=James \\"Jim\\" Smith\\, III', 1, 'CN=James \\"Jim\\" Smith\\, III'],
  ['CN=Before\\0dAfter', 1, 'CN=Before\rAfter'],
  ['1.3.6.1.4.1.1466.0=#04024869', 1, '1.3.6.1.4.1.1466.0=Hi'],
  ['CN=Lu\\C4\\8Di\\C4\\87', 1, 'CN=Lučić'],
  ['cn=#0201FF', 1, 'cn=#0201ff'],
  ['cn=\\#x', 1, 'cn=\\#x'],
  ['cn=\\ a\\ ', 1, 'cn=\\ a\\ '],
  ['cn=a=b', 1, 'cn=a=b'],
  ['cn=a\\=b', 1, 'cn=a=b'],
  ['cn=', 1, 'cn='],
  ['cn=,dc=x', 2, 'cn=,dc=x'],
  ['cn=\\00', 1, 'cn=\\00'],
  ['cn=日本語', 1, 'cn=日本語'],
])('%j has %i levels and is written %j', (text, levels, written) => {
  const dn = parseDn(text);
  expect(dn.rdns.length).toBe(levels);
  expect(dn.toString()).toBe(written);
  expect(parseDn(dn.toString()).key).toBe(dn.key);
  expect(makeDn(dn.rdns).key).toBe(dn.key);
});

test.each([
  ['dc=JADE,dc=net', 'DC=jade,DC=Net'],
  ['cn=a  b', 'CN= A b '],
  ['cn=a+ou=b', 'OU=B+CN=A'],
  ['2.5.4.3=x', 'commonName=X'],
  ['0.9.2342.19200300.100.1.25=jade', 'dc=JADE'],
  ['cn=Straße', 'cn=STRASSE'],
  ['cn=ΌΣΟΣ', 'cn=όσος'],
  ['cn=\\C3\\BC', 'cn=U\u0308'],
  ['cn=a\u00adb', 'cn=ab'],
  ['cn=ﬁ', 'cn=FI'],
])('%j and %j name the same entry', (one, other) => {
  expect(parseDn(one).key).toBe(parseDn(other).key);
});

test.each([
  ['cn=a\\,dc\\=b', 'cn=a,dc=b'],
  ['cn=a\\+ou=b', 'cn=a+ou=b'],
  ['cn=\\#0201ff', 'cn=#0201ff'],
  ['cn=ı', 'cn=i'],
  ['cn=a', 'ou=a'],
  ['cn=\\\\2c', 'cn=\\2c'],
])('%j and %j name different entries', (one, other) => {
  expect(parseDn(one).key).not.toBe(parseDn(other).key);
});

test('parents, children and descent agree with each other', () => {
  const jade = parseDn('dc=jade,dc=net');
  const user = jade.child([{ type: 'mail', value: 'u1@jade.net' }]);
  expect(user.toString()).toBe('mail=u1@jade.net,dc=jade,dc=net');
  expect(user.parent).toBe(jade);
  expect(parseDn(user.toString()).parent?.key).toBe(jade.key);
  expect(user.isWithin(jade) && user.isWithin(user) && user.isWithin(rootDn) && user.isWithin(parseDn('DC=NET'))).toBe(true);
  expect(jade.isWithin(user)).toBe(false);
  expect(parseDn('dc=xjade,dc=net').isWithin(jade)).toBe(false);
  expect(parseDn('cn=x\\,dc=jade,dc=net').isWithin(jade)).toBe(false);
  expect(rootDn.parent).toBeUndefined();
  expect(parseDn('dc=net').parent?.rdns.length).toBe(0);
});

test.each([
  ['plain', 'plain'],
  [' a ', '\\ a\\ '],
  [' ', '\\ '],
  ['  ', '\\ \\ '],
  ['#a', '\\#a'],
  ['a,b+c"d\\e<f>g;h', 'a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h'],
  ['a\\ ', 'a\\\\\\ '],
  ['a\u0000', 'a\\00'],
  ['ünï', 'ünï'],
])('the value %j is escaped as %j and reads back', (value, escaped) => {
  expect(escapeDnValue(value)).toBe(escaped);
  expect(parseRdn(`cn=${escaped}`)).toEqual([{ type: 'cn', value }]);
});

test('one relative name is read alone', () => {
  expect(formatRdn(parseRdn('cn=a+ou=b'))).toBe('cn=a+ou=b');
  expect(complaint(() => parseRdn('cn=a,dc=b'))).toContain('one level');
  expect(complaint(() => parseRdn(''))).toContain('position 0');
});
