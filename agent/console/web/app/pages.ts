/** What a page is to the shell. @module */
import type { ComponentType } from 'react';

export interface PageRoute {
  /** `/services/:ns/:name/:tab?`; the first that fits is shown. */
  readonly pattern: string;
  /** Of the document, and of the breadcrumb where `crumbs` says nothing else. */
  readonly title: string;
  /** From the left; without `to`: where one is. Values of the pattern by name. */
  readonly crumbs?: (params: Readonly<Record<string, string>>) => readonly { text: string; to?: string }[];
  readonly load: () => Promise<ComponentType>;
}
