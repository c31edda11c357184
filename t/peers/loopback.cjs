// node -r ./loopback.cjs: every listen() without a host binds 127.0.0.1
const net=require('node:net'), o=net.Server.prototype.listen;
net.Server.prototype.listen=function(p,...a){ if(typeof p==='number'||(typeof p==='string'&&/^\d+$/.test(p))){ if(a[0]===undefined) a.shift(); if(typeof a[0]!=='string') a.unshift('127.0.0.1'); }
 else if(p&&typeof p==='object'&&p.port!==undefined&&!p.host) p={...p,host:'127.0.0.1'}; return o.call(this,p,...a); };
