/** The computed tree as nodes: each knows its entry, what may stand below it, and how to find one of that by name. */

import { type Attribute, type ComputedEntry, type ComputedTree, couldMatch, Entry, type EntryKind } from '../../directory/index.ts';
import type { Dn, Filter, Rdn } from '../../ldap-wire/index.ts';
import type { ClassDeclaration } from '../../settings/index.ts';
import { containerClass, kindOf } from './classes.ts';

export type Values = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Node {
  readonly dn: Dn;
  readonly kind: EntryKind;
  /** Of everything that may stand anywhere below; undefined: nothing does. */
  readonly below: EntryKind | undefined;
  make(): Promise<ComputedEntry>;
  children(filter: Filter): AsyncIterable<Node> | Iterable<Node>;
  /** The one directly below with this name. */
  child(rdn: Rdn): Promise<Node | undefined> | Node | undefined;
}

/** An entry of a class. Numbers and truth values are written as LDAP has them; what is undefined or empty is left out. */
export function entryOf(dn: Dn, declaration: ClassDeclaration, values: Values): Entry {
  const attributes: Attribute[] = [{ name: 'objectClass', values: ['top', declaration.name] }];
  for (const [name, value] of Object.entries(values)) {
    const list = [value ?? []].flat().map((one) => (typeof one === 'boolean' ? String(one).toUpperCase() : String(one)));
    const texts = list.filter((text) => text !== '');
    if (texts.length > 0) attributes.push({ name, values: texts });
  }
  return new Entry(dn, attributes);
}

/** The value of a name of one part of this type; undefined where it is another name. */
export function named(rdn: Rdn, type: string): string | undefined {
  const [only] = rdn;
  return rdn.length === 1 && only && !only.encoded && only.type.toLowerCase() === type.toLowerCase() ? only.value : undefined;
}

export const isNamed = (rdn: Rdn, cn: string): boolean => named(rdn, 'cn')?.toLowerCase() === cn.toLowerCase();

/** An entry with nothing below it. */
export function leaf(dn: Dn, declaration: ClassDeclaration, values: () => Values | Promise<Values>): Node {
  return {
    dn,
    kind: kindOf(declaration),
    below: undefined,
    make: async () => ({ entry: entryOf(dn, declaration, await values()), subordinates: false, leaf: true }),
    children: () => [],
    child: () => undefined,
  };
}

export interface Branch {
  readonly declaration?: ClassDeclaration;
  readonly values: () => Values | Promise<Values>;
  readonly below: EntryKind;
  readonly children: Node['children'];
  readonly child: Node['child'];
  /** Whether there is anything below. Unless given, there is. */
  readonly some?: () => Promise<boolean>;
}

/** An entry with others below it. */
export function branch(dn: Dn, { declaration = containerClass, values, below, children, child, some }: Branch): Node {
  return {
    dn,
    kind: kindOf(declaration),
    below,
    make: async () => ({ entry: entryOf(dn, declaration, await values()), subordinates: (await some?.()) ?? true }),
    children,
    child,
  };
}

/** An entry above a few others that are named by `cn`. */
export function group(dn: Dn, values: Values, declarations: readonly ClassDeclaration[], nodes: () => readonly Node[]): Node {
  return branch(dn, {
    values: () => values,
    below: kindOf(...declarations),
    children: nodes,
    child: (rdn) => nodes().find((node) => isNamed(rdn, named(node.dn.rdns[0] ?? [], 'cn') ?? '')),
    some: async () => nodes().length > 0,
  });
}

export function below(dn: Dn, type: string, value: string): Dn {
  return dn.child([{ type, value }]);
}

export function treeOf(root: Node): ComputedTree {
  const find = async (dn: Dn): Promise<Node | undefined> => {
    let node: Node | undefined = root;
    for (let level = dn.rdns.length - root.dn.rdns.length - 1; node && level >= 0; level--) node = await node.child(dn.rdns[level] ?? []);
    return node;
  };
  return {
    async find(dn) {
      return (await find(dn))?.make();
    },
    async *children(dn, filter) {
      for await (const child of (await find(dn))?.children(filter) ?? [])
        if (couldMatch(filter, child.kind) || (child.below && couldMatch(filter, child.below))) yield await child.make();
    },
  };
}
