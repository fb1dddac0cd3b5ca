import { SAMPLE_EXCLUDED, SAMPLE_IN_INCIDENT } from './store/store.ts';

/** A lasting new normal is learned in the end: incidents are left out only up to this share of the rows. */
const INCIDENT_SHARE = 0.25;

/** Flags of the rows that a model does not learn from. */
export const flagsLeftOut = (rows: number, inIncident: number): number =>
  inIncident <= INCIDENT_SHARE * rows ? SAMPLE_IN_INCIDENT | SAMPLE_EXCLUDED : SAMPLE_EXCLUDED;
