/** The part of mailparser that tests use; it brings no types of its own. */
declare module 'mailparser' {
  export interface ParsedMail {
    readonly text?: string;
    readonly subject?: string;
    readonly to?: { readonly text: string };
    readonly headers: ReadonlyMap<string, unknown>;
    readonly attachments: readonly { readonly contentType: string; readonly content: Buffer }[];
  }
  export function simpleParser(source: string | Buffer, options?: { readonly keepDeliveryStatus?: boolean }): Promise<ParsedMail>;
}
