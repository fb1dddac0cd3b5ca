/** As the executable has them baked in (build/executable.ts) and `useSmallHeap` (cli/runtime.ts) sets them. */
export const AGENT_FLAGS = ['--no-opt', '--no-maglev', '--max-semi-space-size=1', '--v8-pool-size=1'];
