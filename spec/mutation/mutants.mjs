import ts from "typescript";

const { SyntaxKind: Kind } = ts;

/** The operators that replace each other. */
const SWAPS = new Map([
  [Kind.LessThanToken, "<="],
  [Kind.LessThanEqualsToken, "<"],
  [Kind.GreaterThanToken, ">="],
  [Kind.GreaterThanEqualsToken, ">"],
  [Kind.EqualsEqualsEqualsToken, "!=="],
  [Kind.ExclamationEqualsEqualsToken, "==="],
  [Kind.EqualsEqualsToken, "!="],
  [Kind.ExclamationEqualsToken, "=="],
  [Kind.PlusToken, "-"],
  [Kind.MinusToken, "+"],
  [Kind.AsteriskToken, "/"],
  [Kind.SlashToken, "*"],
  [Kind.AmpersandAmpersandToken, "||"],
  [Kind.BarBarToken, "&&"],
]);

/**
 * Lists the mutants of a source file. Each replaces the text from `start` to `end` by `text`; a statement is replaced as a whole.
 *
 * @returns {{ start: number, end: number, text: string, statement: boolean, line: number }[]}
 */
export function mutantsOf(fileName, code) {
  const source = ts.createSourceFile(fileName, code, ts.ScriptTarget.ES2022, true);
  const mutants = [];
  const textOf = (node) => node.getText(source);
  const add = (node, text, statement = false) => {
    const [start, end] = [node.getStart(source), node.getEnd()];
    const { line } = source.getLineAndCharacterOfPosition(start);
    mutants.push({ start, end, text, statement, line: line + 1 });
  };
  const condition = (node, ...values) => {
    for (const value of values) if (textOf(node) !== value) add(node, value);
  };

  const visit = (node) => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isIfStatement(node)) condition(node.expression, "true", "false");
    else if (ts.isConditionalExpression(node)) condition(node.condition, "true", "false");
    else if (ts.isWhileStatement(node)) condition(node.expression, "false");
    else if (ts.isForStatement(node) && node.condition !== undefined) condition(node.condition, "false");
    else if (node.kind === Kind.TrueKeyword) add(node, "false");
    else if (node.kind === Kind.FalseKeyword) add(node, "true");
    else if (ts.isPrefixUnaryExpression(node) && node.operator === Kind.ExclamationToken)
      add(node, textOf(node.operand));
    else if (ts.isBinaryExpression(node)) binary(node);
    else if (ts.isExpressionStatement(node) && !/^super\b|^"use/.test(textOf(node))) add(node, "", true);
    else if (ts.isReturnStatement(node) && node.expression !== undefined) returned(node.expression);
    else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) returned(node.body);
    ts.forEachChild(node, visit);
  };
  const binary = (node) => {
    const { left, operatorToken, right } = node;
    const swap = SWAPS.get(operatorToken.kind);
    // A "+" between strings is not swapped, because the text of an error is not behaviour.
    const text = [left, right].some((side) => ts.isStringLiteralLike(side) || ts.isTemplateExpression(side));
    if (swap !== undefined && !(operatorToken.kind === Kind.PlusToken && text))
      add(node, `${textOf(left)} ${swap} ${textOf(right)}`);
    if (operatorToken.kind === Kind.QuestionQuestionToken) {
      add(node, textOf(left));
      add(node, textOf(right));
    }
  };
  const returned = (node) => {
    const text = textOf(node);
    if (text !== "undefined" && !text.startsWith("void ") && !text.startsWith("(void "))
      add(node, "undefined");
  };
  visit(source);
  return mutants;
}

/** Returns the code with all its mutants inside, each behind a switch that `__mutant(id)` turns on. */
export function instrument(code, mutants) {
  const sorted = [...mutants].sort((a, b) => a.start - b.start || b.end - a.end || b.statement - a.statement);
  const render = (start, end, inside) => {
    let result = "";
    let at = start;
    for (let index = 0; index < inside.length;) {
      const outer = inside[index];
      let next = index + 1;
      while (next < inside.length && inside[next].start < outer.end) next++;
      const within = inside.slice(index, next);
      const same = within.filter(
        (one) => one.start === outer.start && one.end === outer.end && one.statement === outer.statement,
      );
      const rest = within.filter((one) => !same.includes(one));
      let text = render(outer.start, outer.end, rest);
      for (const { id, text: mutated, statement } of same)
        text = statement
          ? `{ if (!__mutant(${id})) ${text} }`
          : `(__mutant(${id}) ? (${mutated}) : (${text}))`;
      result += code.slice(at, outer.start) + text;
      at = outer.end;
      index = next;
    }
    return result + code.slice(at, end);
  };
  return `${HELPER}${render(0, code.length, sorted)}`;
}

// On one line, so that stack traces keep their line numbers.
const HELPER =
  "const __active = Number((globalThis as any).process?.env?.CQRX_MUTANT ?? 0); " +
  "const __mutant = (id: number): boolean => __active === 0 ? (((globalThis as any).__mutants ??= new Set()).add(id), false) : id === __active; ";

/** Returns a generator of numbers from 0 to 1 (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
