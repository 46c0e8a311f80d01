/** ldapjs brings no types; it is used as a foreign client only. */
declare module 'ldapjs';
