/** The part of mailparser that tests use; it brings no types of its own. */
declare module 'mailparser' {
  export interface ParsedAddresses {
    readonly text: string;
    readonly value: readonly { readonly address: string; readonly name: string }[];
  }
  export interface ParsedMail {
    readonly text?: string;
    readonly html?: string | false;
    readonly subject?: string;
    readonly from?: ParsedAddresses;
    readonly to?: ParsedAddresses;
    readonly headers: ReadonlyMap<string, unknown>;
    readonly attachments: readonly { readonly contentType: string; readonly content: Buffer; readonly filename?: string }[];
  }
  export function simpleParser(
    source: string | Buffer,
    options?: { readonly keepDeliveryStatus?: boolean; readonly skipHtmlToText?: boolean; readonly skipTextToHtml?: boolean },
  ): Promise<ParsedMail>;
}
