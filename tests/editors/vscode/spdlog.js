// Writes VS Code's log files, which output channels show, in place of a native module.
const fs = require("node:fs");
const path = require("node:path");

const LEVELS = ["trace", "debug", "info", "warn", "error", "critical"];

class Logger {
  constructor(file) {
    this.file = file;
    this.level = 2;
    this.prefix = true;
    LEVELS.forEach((name, level) => {
      this[name] = (text) => this.write(name, level, text);
    });
  }
  write(name, level, text) {
    if (level >= this.level) {
      const prefix = this.prefix ? `${new Date().toISOString()} [${name}] ` : "";
      fs.appendFileSync(this.file, `${prefix}${text}${this.prefix ? "\n" : ""}`);
    }
  }
  setLevel(level) {
    this.level = level;
  }
  clearFormatters() {
    this.prefix = false;
  }
  setPattern() {}
  flush() {}
  drop() {}
}

exports.setFlushOn = () => {};
exports.createAsyncRotatingLogger = async (_name, file) => {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  return new Logger(file);
};
