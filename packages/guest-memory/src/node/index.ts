export { createPageDiscard } from './page-discard.ts';
