/**
 * Our schema as OpenLDAP takes it: a file for slapd.conf, and entries for cn=config.
 *
 * slapd lets nobody but itself define operational attributes: those, which our server computes, are left out.
 * Spec: slapd.conf(5), slapd-config(5)
 */

const keywords: Readonly<Record<string, string>> = {
  objectidentifier: 'olcObjectIdentifier',
  attributetype: 'olcAttributeTypes',
  objectclass: 'olcObjectClasses',
};

interface Definition {
  readonly keyword: string;
  readonly text: string;
}

/** Definitions with what is between them left out; a definition ends where the next line does not begin with white space. */
function definitions(schema: string): Definition[] {
  const found: Definition[] = [];
  for (const line of schema.split('\n')) {
    const start = /^([a-z]+)\s/i.exec(line);
    const last = found[found.length - 1];
    if (start) found.push({ keyword: (start[1] ?? '').toLowerCase(), text: line });
    else if (/^\s+\S/.test(line) && last) found[found.length - 1] = { ...last, text: `${last.text}\n${line}` };
  }
  return found.filter(({ text }) => !/\bUSAGE\s+directoryOperation\b/.test(text));
}

/** For `include` in slapd.conf. */
export function slapdConfSchema(schema: string): string {
  const head = '# The own schema for OpenLDAP: schema/mailtree.schema without what the bundled server computes. Generated: do not edit.';
  return `${[head, ...definitions(schema).map(({ text }) => text)].join('\n\n')}\n`;
}

/** For `ldapadd` into cn=config. */
export function cnConfigSchema(name: string, schema: string): string {
  const lines = definitions(schema).map(({ keyword, text }) => {
    const value = text.replace(/^[a-z]+\s+/i, '').replace(/\s+/g, ' ');
    return folded(`${keywords[keyword]}: ${value}`);
  });
  const head = `# schema/${name}.schema for cn=config: ldapadd -Y EXTERNAL -H ldapi:/// -f schema/openldap/${name}.ldif. Generated: do not edit.`;
  return `${[head, `dn: cn=${name},cn=schema,cn=config`, 'objectClass: olcSchemaConfig', `cn: ${name}`, ...lines].join('\n')}\n`;
}

/** RFC 2849: no line over 76 columns; what goes on begins with a blank. */
function folded(line: string): string {
  const parts = [line.slice(0, 76)];
  for (let at = 76; at < line.length; at += 75) parts.push(` ${line.slice(at, at + 75)}`);
  return parts.join('\n');
}
