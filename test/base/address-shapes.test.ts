/** Hosts, servers and listeners with ports, as settings take them. */

import { expect, test } from '@jest/globals';
import { hostSetting, listenPattern, namesHost, serverPattern } from '../../src/base/index.ts';

const takes = (shape: RegExp, text: string): boolean => new RegExp(`^(?:${shape.source})$`).test(text) && namesHost(text);

test.each([
  ['relay1.isp.example', true],
  ['relay1.isp.example:587', true],
  ['relay1.isp.example:1', true],
  ['relay1.isp.example:65535', true],
  ['relay1.isp.example:65536', false],
  ['relay1.isp.example:99999', false],
  ['relay1.isp.example:0', false],
  ['relay1.isp.example:', false],
  ['[192.0.2.1]:25', true],
  ['[IPv6:2001:db8::1]:25', true],
  ['[2001:db8::1]', true],
  ['[192.0.2.999]', false],
  ['[fe]:25', false],
])('a host is written %s: %s', (text, taken) => expect(takes(hostSetting, text)).toBe(taken));

test.each([
  ['192.0.2.1', true],
  ['192.0.2.1:5353', true],
  ['192.0.2.1:70000', false],
  ['192.0.2.300', false],
  ['[::1]:53', true],
  ['[::g]:53', false],
  ['[:::]:53', false],
])('a name server is written %s: %s', (text, taken) => expect(takes(serverPattern, text)).toBe(taken));

test.each([
  ['off', true],
  ['*:25', true],
  ['127.0.0.1:0', true],
  ['localhost:65535', true],
  ['127.0.0.1:65536', false],
  ['127.0.0.256:25', false],
  ['[1:2]:25', false],
])('a listener is written %s: %s', (text, taken) => expect(takes(listenPattern, text)).toBe(taken));
