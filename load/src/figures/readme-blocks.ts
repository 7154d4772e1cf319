/**
 * Tables in READMEs that are made from the results files, so that the two cannot drift apart. A block is what stands
 * between two comments:
 *
 *     <!-- ranges: guards speed -->
 *     ...
 *     <!-- end of ranges -->
 */
const BLOCK = /(<!-- ranges: ([a-z]+ [a-z]+) -->\n)[\s\S]*?(<!-- end of ranges -->)/g;

/** @param render makes a block by its name; null leaves it as it stands, for want of any run to make it of */
export function fillBlocks(text: string, render: (name: string) => string[] | null): string {
  return text.replaceAll(BLOCK, (whole, start: string, name: string, end: string) => {
    const lines = render(name);
    return lines === null ? whole : `${start}\n${lines.join('\n')}\n\n${end}`;
  });
}
