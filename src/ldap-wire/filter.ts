/**
 * Search filters as values. Reading and writing them as text (RFC 4515) and BER (RFC 4511 §4.5.1.7) is in the files beside.
 *
 * Assertion values are raw octets: only the schema knows what they mean.
 */

export type Filter =
  | { readonly type: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly type: 'not'; readonly filter: Filter }
  | { readonly type: 'equal' | 'greaterOrEqual' | 'lessOrEqual' | 'approx'; readonly attribute: string; readonly value: Uint8Array }
  | {
      readonly type: 'substring';
      readonly attribute: string;
      readonly initial: Uint8Array | undefined;
      readonly any: readonly Uint8Array[];
      readonly final: Uint8Array | undefined;
    }
  | { readonly type: 'present'; readonly attribute: string }
  | {
      readonly type: 'extensible';
      readonly rule: string | undefined;
      readonly attribute: string | undefined;
      readonly value: Uint8Array;
      readonly dnAttributes: boolean;
    };
