/** Metadata that carries a token. */
export const tokenKey = 'polyvisor-token';
