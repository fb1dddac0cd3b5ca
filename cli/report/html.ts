import type { EvaluationReport } from './document.ts';
export const renderHtml = (_: EvaluationReport): string => '';
