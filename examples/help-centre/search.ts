import { type Article, articles } from "./articles.ts";

/** Maximum number of characters of a search text; the rest is ignored. */
export const MAX_SEARCH = 100;

/** Returns the articles that contain every word of `text`. Articles with the words in their titles come first. */
export function search(text: string): readonly Article[] {
  const words = wordsOf(text.slice(0, MAX_SEARCH));
  if (words.length === 0) return [];
  return articles
    .map((article) => ({ article, score: score(article, words) }))
    .filter((found) => found.score > 0)
    .toSorted((one, other) => other.score - one.score)
    .map(({ article }) => article);
}

function score(article: Article, words: readonly string[]): number {
  const title = wordsOf(article.title);
  const summary = wordsOf(article.summary);
  const body = wordsOf(`${article.topic} ${article.body.flat().join(" ")}`);
  const has = (text: readonly string[], word: string) => text.some((one) => one.startsWith(word));
  const scores = words.map((word) => {
    if (has(title, word)) return 9;
    if (has(summary, word)) return 3;
    return has(body, word) ? 1 : 0;
  });
  return scores.includes(0) ? 0 : scores.reduce<number>((sum, one) => sum + one, 0);
}

/** Returns the words of `text`. Removes an "s" at the end of a word, so that a plural also matches its singular. */
function wordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.map((word) => (word.length > 3 && word.endsWith("s") ? word.slice(0, -1) : word));
}
