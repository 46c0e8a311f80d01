/** The entries below `cn=access`: one rule each. What they mean is rules.ts's business. */

import { declareClass } from '../../settings/index.ts';

export const rights = ['search', 'read', 'compare', 'write', 'selfwrite', 'add', 'delete'] as const;
export type Right = (typeof rights)[number];

export const accessClass = declareClass({
  name: 'mtAccess',
  kind: 'structural',
  must: ['cn', 'mtAccessOrder', 'mtAccessWho', 'mtAccessRight', 'mtAccessEffect'],
  may: ['description', 'mtAccessTarget', 'mtAccessClass', 'mtAccessFilter', 'mtAccessAttribute'],
  title: 'Access rule',
  help: 'Who may do what with which entries and attributes. Rules are asked in their order; the first that fits decides; where none fits, the answer is no.',
  attributes: [
    {
      attribute: 'mtAccessOrder',
      syntax: 'integer',
      single: true,
      label: 'Order',
      help: 'Rules with a smaller number are asked first.',
      spec: 'DIR-05',
    },
    {
      attribute: 'mtAccessWho',
      syntax: 'text',
      label: 'Who',
      help: 'all, anonymous, authenticated, self (the entry itself), same-domain (whose own entry is in the same domain), domain-admin (the administrator of the domain the entry is in), dn:NAME, subtree:NAME (everybody at or below that entry), group:NAME (members of that group), attribute:TYPE (whom this attribute of the entry names: attribute:manager).',
      spec: 'DIR-05',
    },
    {
      attribute: 'mtAccessTarget',
      syntax: 'text',
      label: 'Entries',
      help: 'Which entries: * (all), domains (the domain tree), system (the system tree), entry:NAME, children:NAME (everything below), subtree:NAME (both). Without a value, all.',
      spec: 'DIR-05',
    },
    {
      attribute: 'mtAccessClass',
      syntax: 'ascii',
      label: 'Classes',
      help: 'Only entries that have one of these object classes.',
      spec: 'DIR-05',
    },
    {
      attribute: 'mtAccessFilter',
      syntax: 'text',
      single: true,
      label: 'Filter',
      help: 'Only entries that match this LDAP filter.',
      spec: 'DIR-05',
    },
    {
      attribute: 'mtAccessAttribute',
      syntax: 'ascii',
      label: 'Attributes',
      help: 'Names of attributes; * for all user attributes, + for all operational ones, a name with * at its end for all that begin so, @CLASS for all attributes of an object class. Without a value, all.',
      spec: 'DIR-05',
    },
    {
      attribute: 'mtAccessRight',
      syntax: 'ascii',
      choices: rights,
      label: 'Rights',
      help: 'What the rule is about: search, read, compare and write of attributes, add and delete of entries, selfwrite (adding and removing the own name as a value).',
      spec: 'DIR-05',
    },
    {
      attribute: 'mtAccessEffect',
      syntax: 'ascii',
      single: true,
      choices: ['allow', 'deny'],
      label: 'Effect',
      help: 'Whether the rule allows or denies.',
      spec: 'DIR-05',
    },
  ],
});
