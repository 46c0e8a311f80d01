/** The two functions of libmime that are used here; the package brings no types. */
declare module 'libmime' {
  const libmime: {
    decodeWords(text: string): string;
    encodeWord(text: string, encoding?: 'Q' | 'B', maxLength?: number): string;
  };
  export default libmime;
}
