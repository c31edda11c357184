// The queries of docs/log.md in their own languages, over lines of a log:
// LogQL by Grafana's grammar, Vector's program and Datadog's searches by
// Vector's compiler and run time.
//
// recipes.cjs LOG RECIPES: a file of {logql: [...], vrl: "...", datadog: [...]}
// One JSON line for each: of LogQL where its errors are and the names that it
// filters by, of a program what becomes of every line, of a search what it finds.

'use strict';

const fs = require('fs');
const vrl = require('@bpinternal/verel');
const { parser } = require('@grafana/lezer-logql');

const [log, file] = process.argv.slice(2);
const lines = fs.readFileSync(log, 'utf8').split('\n').filter(Boolean);
const recipes = JSON.parse(fs.readFileSync(file, 'utf8'));

const tell = (id, members) => console.log(JSON.stringify({ id, ...members }));

function logql(query) {
    const errors = [], names = [];

    parser.parse(query).iterate({ enter(node) {
        if (node.type.isError) errors.push(node.from);
        if (node.name === 'Identifier') names.push(query.slice(node.from, node.to));
    } });

    return { errors, names };
}

function program(source) {
    const { errors } = vrl.check(source);
    if (errors.length) return { errors: errors.map(vrl.formatDiagnostic) };

    // as Vector's source of files has them
    const now = new Date().toISOString();
    const run = (text) => lines.map(message =>
        vrl.execute(text, { message, file: log, host: 'h', source_type: 'file', timestamp: now }));

    const events = run(source).map(r => r.event);
    const times = run(`${source}\nto_unix_timestamp(timestamp!(.timestamp), unit: "microseconds")`).map(r => Number(r.result));

    return { errors: [], events, times };
}

function search(query) {
    const source = `match_datadog_query(., ${JSON.stringify(query)})`;
    const { errors } = vrl.check(source);
    if (errors.length) return { errors: errors.map(vrl.formatDiagnostic) };

    const events = lines.map(line => JSON.parse(line));
    return { errors: [], found: events.filter(e => vrl.execute(source, e).result).map(e => e.request_id) };
}

recipes.logql.forEach((q, n) => tell(`logql ${n}`, logql(q)));
tell('vrl', program(recipes.vrl));
recipes.datadog.forEach((q, n) => tell(`datadog ${n}`, search(q)));
