/** A table with its title; a frame is drawn around it by whoever prints it. */
export interface Section {
  title: string;
  lines: string[];
}
