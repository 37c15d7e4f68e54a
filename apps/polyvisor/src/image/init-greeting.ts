/** The first line that the default guest's init prints; from then on its console takes input. */
export const INIT_GREETING = 'polyvisor: init started';
