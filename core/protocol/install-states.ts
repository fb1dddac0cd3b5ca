/** How far a host has come with the release that a rollout gives it. */
export const INSTALL_STATES = [
  'none',
  'offered',
  'fetching',
  'verified',
  'shadow',
  'probation',
  'committed',
  'rejected',
  'rolled_back',
  'timed_out',
] as const;
export type InstallState = (typeof INSTALL_STATES)[number];
