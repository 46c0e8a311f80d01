/** What the manual says about routing, case by case: the directory in a line, the address, what RCPT finds, and where the mail goes. */

import { describe, expect, test } from '@jest/globals';
import { createRouter } from '../../src/routing/index.ts';
import { directoryOf, shown } from '../support/routing-notation.ts';

type Row = readonly [state: string, address: string, verdict: 'yes' | 'unknown' | 'remote', expected: string];

const chapters: Record<string, readonly Row[]> = {
  'Local domains': [
    ['ima.com bart@ima.com', 'bart@ima.com', 'yes', 'LOCAL bart@ima.com'],
    ['ima.com', 'bart@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com', 'bart@jade.net', 'remote', 'SMTPC jade.net bart@jade.net'],
    // "*.ima.com matches entries that are sub-domains of ima.com", "not including the main domain".
    ['*.ima.com', 'x@music.ima.com', 'unknown', '! 5.1.1'],
    ['*.ima.com', 'x@deep.music.ima.com', 'unknown', '! 5.1.1'],
    ['*.ima.com', 'x@ima.com', 'remote', 'SMTPC ima.com x@ima.com'],
    ['*.ima.com', 'x@aima.com', 'remote', 'SMTPC aima.com x@aima.com'],
    ['*.ima.com', 'x@ima.com.net', 'remote', 'SMTPC ima.com.net x@ima.com.net'],
    ['*.ima.com john@music.ima.com', 'john@music.ima.com', 'yes', 'LOCAL john@music.ima.com'],
    ['*.ima.com john@music.ima.com', 'john@MUSIC.ima.com', 'yes', 'LOCAL john@music.ima.com'],
    // "To accept all mail for the primary domain plus all sub-domains, two entries are required": both in one here.
    ['ima.com+', 'x@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com+', 'x@music.ima.com', 'unknown', '! 5.1.1'],
    ['ima.com', 'x@music.ima.com', 'remote', 'SMTPC music.ima.com x@music.ima.com'],
    ['com+ ima.com', 'x@music.ima.com', 'unknown', '! 5.1.1'],
    ['*.com *.ima.com', 'x@ima.com', 'unknown', '! 5.1.1'],
    ['*.com', 'x@com', 'remote', 'SMTPC com x@com'],
    ['*.ima.com jade.net', 'x@jade.net', 'unknown', '! 5.1.1'],
    ['*.ima.com unknown:SMTPC', 'x@music.ima.com', 'yes', 'SMTPC music.ima.com x@music.ima.com'],
    ['ima.com bart@ima.com', 'bart@ima.com.', 'yes', 'LOCAL bart@ima.com'],
    ['xn--mller-kva.example a@xn--mller-kva.example', 'a@müller.example', 'yes', 'LOCAL a@xn--mller-kva.example'],
    ['xn--mller-kva.example', 'a@MÜLLER.example', 'unknown', '! 5.1.1'],
    ['xn--mller-kva.example', 'a@mu\u0308ller.example', 'unknown', '! 5.1.1'],
    ['*.xn--mller-kva.example', 'a@post.müller.example', 'unknown', '! 5.1.1'],
  ],
  'Directory lookup of every recipient': [
    ['ima.com a@ima.com', 'A@IMA.COM', 'yes', 'LOCAL a@ima.com'],
    ['domain:ima.com ima.com a@ima.com', 'a', 'yes', 'LOCAL a@ima.com'],
    ['domain:ima.com ima.com', 'nobody', 'unknown', '! 5.1.1'],
    // An address that the directory has in a domain that is not local: "the MTA performs Directory lookups on all recipients".
    ['ima.com a@ima.com(a@other.org)', 'a@other.org', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com(a@other.org)', 'b@other.org', 'remote', 'SMTPC other.org b@other.org'],
    ['ima.com a@ima.com!disabled', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com!nologin', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com!send', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com bärt@ima.com', 'bärt@ima.com', 'yes', 'LOCAL bärt@ima.com'],
    ['ima.com bärt@ima.com', 'BÄRT@ima.com', 'yes', 'LOCAL bärt@ima.com'],
    ['ima.com bärt@ima.com', 'ba\u0308rt@ima.com', 'yes', 'LOCAL bärt@ima.com'],
    ['ima.com 用户@ima.com', '用户@ima.com', 'yes', 'LOCAL 用户@ima.com'],
    ['ima.com', '用户@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com', '用户@例え.example', 'remote', 'SMTPC xn--r8jz45g.example 用户@xn--r8jz45g.example'],
    ['ima.com bart@ima.com', '"bart"@ima.com', 'yes', 'LOCAL bart@ima.com'],
    ['ima.com bart@ima.com', '"b\\art"@ima.com', 'yes', 'LOCAL bart@ima.com'],
    ['ima.com "a,b"@ima.com', '"a,b"@ima.com', 'yes', 'LOCAL "a,b"@ima.com'],
  ],
  'Mail aliases': [
    // "When a message is sent to Homer_Simpson@ima.com, the Preprocessor will route the message to Bart_Simpson@ima.com."
    ['ima.com Bart_Simpson@ima.com(Homer_Simpson@ima.com)', 'Homer_Simpson@ima.com', 'yes', 'LOCAL Bart_Simpson@ima.com'],
    ['ima.com Bart_Simpson@ima.com(Homer_Simpson@ima.com)', 'HOMER_SIMPSON@ima.com', 'yes', 'LOCAL Bart_Simpson@ima.com'],
    ['ima.com jdoe@ima.com(john@ima.com,jd@ima.com)', 'jd@ima.com', 'yes', 'LOCAL jdoe@ima.com'],
    ['ima.com a@ima.com b@ima.com s@ima.com{a@ima.com,b@ima.com}', 's@ima.com', 'yes', 'LOCAL a@ima.com, LOCAL b@ima.com'],
    ['ima.com a@ima.com s@ima.com{a@ima.com,x@far.net}', 's@ima.com', 'yes', 'LOCAL a@ima.com, SMTPC far.net x@far.net'],
    ['ima.com s@ima.com{}', 's@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com s@ima.com{nobody@ima.com}', 's@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com a@ima.com s@ima.com{a@ima.com,nobody@ima.com}', 's@ima.com', 'yes', 'LOCAL a@ima.com, ! 5.1.1'],
    ['ima.com s@ima.com{t@ima.com} t@ima.com{s@ima.com}', 's@ima.com', 'unknown', '! 5.4.6'],
    ['ima.com a@ima.com(b@ima.com) s@ima.com{a@ima.com,b@ima.com}', 's@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com s@ima.com{a@abc.net} abc.net->BSMTPOUT:abc@xyz.com', 's@ima.com', 'yes', 'BSMTPOUT abc@xyz.com a@abc.net'],
  ],
  Connectors: [
    ['ima.com a@ima.com[LOCAL]', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com[LOCAL:a@ima.com]', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com[LOCAL:john@music.ima.com] john@music.ima.com', 'a@ima.com', 'yes', 'LOCAL john@music.ima.com a@ima.com'],
    ['ima.com a@ima.com[LOCAL:john] john@ima.com', 'a@ima.com', 'yes', 'LOCAL john@ima.com a@ima.com'],
    ['jade.net domain:ima.com a@jade.net[LOCAL:john] john@ima.com', 'a@jade.net', 'yes', 'LOCAL john@ima.com a@jade.net'],
    ['ima.com a@ima.com[LOCAL:gone@ima.com]', 'a@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com a@ima.com[LOCAL:off@ima.com] off@ima.com!disabled', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com[LOCAL:s@ima.com] s@ima.com{x@far.net}', 'a@ima.com', 'unknown', '! 5.1.1'],
    // Several: "checklist MTA-22", each gets it.
    ['ima.com a@ima.com[LOCAL][CCIN:a-at-po]', 'a@ima.com', 'yes', 'LOCAL a@ima.com, CCIN a-at-po a@ima.com'],
    [
      'ima.com a@ima.com[LOCAL][NOTESIN:A/Jade][SMTPC:relay.net]',
      'a@ima.com',
      'yes',
      'LOCAL a@ima.com, NOTESIN A/Jade a@ima.com, SMTPC relay.net a@ima.com',
    ],
    ['ima.com a@ima.com[LOCAL][LOCAL]', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com[LOCAL][LOCAL:b@ima.com] b@ima.com', 'a@ima.com', 'yes', 'LOCAL a@ima.com, LOCAL b@ima.com a@ima.com'],
    // "For the Message Store, only None and Receive Permissions are allowed."
    ['ima.com a@ima.com[LOCAL::none]', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com[LOCAL::receive]', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com[LOCAL::send]', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com[LOCAL::send-receive]', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    // "The Send and Receive Permissions are allowed only for the cc:Mail and Notes connectors."
    ['ima.com a@ima.com[CCIN:p:none]', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com[CCIN:p:send]', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com[CCIN:p:receive]', 'a@ima.com', 'yes', 'CCIN p a@ima.com'],
    ['ima.com a@ima.com[CCIN:p:send-receive]', 'a@ima.com', 'yes', 'CCIN p a@ima.com'],
    ['ima.com a@ima.com[NOTESIN:N:none]', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com[NOTESIN:N:send]', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com[NOTESIN:N:receive]', 'a@ima.com', 'yes', 'NOTESIN N a@ima.com'],
    // "Permission is not applied to other channels such as DL, SMTPC, and BSMTP."
    ['ima.com a@ima.com[SMTPC:relay.net:none]', 'a@ima.com', 'yes', 'SMTPC relay.net a@ima.com'],
    ['ima.com a@ima.com[BSMTPOUT:dec@far.net:send]', 'a@ima.com', 'yes', 'BSMTPOUT dec@far.net a@ima.com'],
    ['ima.com a@ima.com[DL::none]', 'a@ima.com', 'yes', 'DL a@ima.com'],
    ['ima.com a@ima.com[LOCAL::none][CCIN:p]', 'a@ima.com', 'yes', 'CCIN p a@ima.com'],
    ['ima.com a@ima.com[LOCAL:gone@ima.com][NOTESIN:N:send]', 'a@ima.com', 'unknown', '! 5.2.1'],
    // "The identifier to be used should be either an Internet email address, cc:Mail address, Notes address, or local Message Store user."
    ['ima.com a@ima.com[SMTPC:alice@far.net]', 'a@ima.com', 'yes', 'SMTPC far.net alice@far.net'],
    ['ima.com a@ima.com[SMTPC:alice@FAR.net]', 'a@ima.com', 'yes', 'SMTPC far.net alice@far.net'],
    ['ima.com a@ima.com[SMTPC:b..d]', 'a@ima.com', 'unknown', '! 5.3.5'],
    ['ima.com a@ima.com[SMTPC:@far.net]', 'a@ima.com', 'unknown', '! 5.3.5'],
    ['ima.com a@ima.com[SMTPC]', 'a@ima.com', 'yes', 'SMTPC ima.com a@ima.com'],
    ['ima.com a@ima.com[CCIN]', 'a@ima.com', 'yes', 'CCIN a@ima.com'],
    ['ima.com a@ima.com[BSMTPOUT]', 'a@ima.com', 'yes', 'BSMTPOUT a@ima.com'],
    ['ima.com a@ima.com(b@ima.com)[CCIN:p]', 'b@ima.com', 'yes', 'CCIN p a@ima.com'],
    ['ima.com jade.net=ima.com a@ima.com[CCIN:p]', 'a@jade.net', 'yes', 'CCIN p a@ima.com'],
    ['ima.com a@ima.com!disabled[LOCAL]', 'a@ima.com', 'unknown', '! 5.2.1'],
  ],
  'Default local delivery channel': [
    // "If the recipient has an entry in the Directory, but does not have any connectors defined": there.
    ['ima.com a@ima.com default:LOCAL', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com default:CCIN', 'a@ima.com', 'yes', 'CCIN a@ima.com'],
    ['ima.com a@ima.com default:NOTESIN', 'a@ima.com', 'yes', 'NOTESIN a@ima.com'],
    ['ima.com a@ima.com default:SMTPC', 'a@ima.com', 'yes', 'SMTPC ima.com a@ima.com'],
    ['ima.com a@ima.com[LOCAL] default:CCIN', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    // "If the MTA receives a message for a local recipient who does not have an entry": there, too, if that channel can take it.
    ['ima.com unknown:default default:LOCAL', 'johndoe@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com unknown:default default:CCIN', 'johndoe@ima.com', 'yes', 'CCIN johndoe@ima.com'],
    ['ima.com unknown:default default:NOTESIN', 'johndoe@ima.com', 'yes', 'NOTESIN johndoe@ima.com'],
    ['ima.com unknown:default default:SMTPC', 'johndoe@ima.com', 'yes', 'SMTPC ima.com johndoe@ima.com'],
    ['ima.com unknown:default default:DL', 'johndoe@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com unknown:default default:BSMTPOUT', 'johndoe@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com unknown:bounce default:CCIN', 'johndoe@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com unknown:SMTPC', 'johndoe@ima.com', 'yes', 'SMTPC ima.com johndoe@ima.com'],
    ['ima.com unknown:CCIN', 'johndoe@ima.com', 'yes', 'CCIN johndoe@ima.com'],
    ['ima.com unknown:NOTESIN', 'johndoe@ima.com', 'yes', 'NOTESIN johndoe@ima.com'],
    ['ima.com unknown:CCIN', 'johndoe@far.net', 'remote', 'SMTPC far.net johndoe@far.net'],
    ['ima.com unknown:CCIN a@ima.com!disabled', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com jade.net=ima.com unknown:CCIN', 'x@jade.net', 'yes', 'CCIN x@jade.net'],
  ],
  'Internet delivery channel': [
    ['ima.com', 'x@far.net', 'remote', 'SMTPC far.net x@far.net'],
    ['ima.com internet:BSMTPOUT', 'x@far.net', 'remote', 'BSMTPOUT far.net x@far.net'],
    ['ima.com', 'X.Y@Far.NET', 'remote', 'SMTPC far.net X.Y@far.net'],
    ['ima.com', 'x@[192.0.2.1]', 'remote', 'SMTPC [192.0.2.1] x@[192.0.2.1]'],
    ['ima.com', 'x@[IPv6:2001:db8::1]', 'remote', 'SMTPC [ipv6:2001:db8::1] x@[ipv6:2001:db8::1]'],
    ['ima.com', '"quoted local"@far.net', 'remote', 'SMTPC far.net "quoted local"@far.net'],
    ['ima.com', '"Quoted"@far.net', 'remote', 'SMTPC far.net Quoted@far.net'],
    ['ima.com a@ima.com', 'a@sub.ima.com', 'remote', 'SMTPC sub.ima.com a@sub.ima.com'],
  ],
  'Domain forwarding': [
    // The manual's tables.
    ['abc.net->BSMTPOUT:abc@xyz.com', 'anybody@abc.net', 'remote', 'BSMTPOUT abc@xyz.com anybody@abc.net'],
    ['abc.net abc.net->BSMTPOUT:abc@xyz.com', 'anybody@abc.net', 'yes', 'BSMTPOUT abc@xyz.com anybody@abc.net'],
    ['abc.net abc.net->SMTPC', 'anybody@abc.net', 'yes', 'SMTPC abc.net anybody@abc.net'],
    ['abc.net abc.net->SMTPC:ignored.net', 'anybody@abc.net', 'yes', 'SMTPC abc.net anybody@abc.net'],
    ['jade.net jade.net->CCIN:user@sales_post_office', 'anybody@jade.net', 'yes', 'CCIN user@sales_post_office anybody@jade.net'],
    ['jade.net jade.net->NOTESIN:Sales/Jade', 'anybody@jade.net', 'yes', 'NOTESIN Sales/Jade anybody@jade.net'],
    ['jade.net jade.net->NOTESIN', 'anybody@jade.net', 'yes', 'NOTESIN anybody@jade.net'],
    // "All mail for the specified domain is immediately placed in the SMTPC output channel", accounts or not.
    ['abc.net abc.net->SMTPC a@abc.net', 'a@abc.net', 'yes', 'SMTPC abc.net a@abc.net'],
    ['abc.net abc.net->BSMTPOUT:d@x.net a@abc.net', 'a@abc.net', 'yes', 'BSMTPOUT d@x.net a@abc.net'],
    ['abc.net->SMTPC', 'a@ABC.NET', 'remote', 'SMTPC abc.net a@abc.net'],
    // "In case there is no specific mapping for the user in the local directory."
    ['far.net far.net->LOCAL:bart@ima.com ima.com bart@ima.com', 'whoever@far.net', 'yes', 'LOCAL bart@ima.com whoever@far.net'],
    ['far.net far.net->LOCAL:bart@ima.com bart@ima.com homer@far.net', 'homer@far.net', 'yes', 'LOCAL homer@far.net'],
    ['far.net far.net->LOCAL:bart@ima.com bart@ima.com homer@far.net!disabled', 'homer@far.net', 'unknown', '! 5.2.1'],
    ['far.net far.net->LOCAL:bart domain:ima.com bart@ima.com', 'whoever@far.net', 'yes', 'LOCAL bart@ima.com whoever@far.net'],
    ['far.net far.net->LOCAL', 'whoever@far.net', 'unknown', '! 5.1.1'],
    ['far.net far.net->LOCAL:gone@ima.com', 'whoever@far.net', 'unknown', '! 5.1.1'],
    ['far.net far.net->LOCAL:off@ima.com off@ima.com!disabled', 'whoever@far.net', 'unknown', '! 5.2.1'],
    ['far.net far.net->DL:news@ima.com news@ima.com', 'whoever@far.net', 'yes', 'DL news@ima.com whoever@far.net'],
    ['far.net far.net->LOCAL:bart@ima.com bart@ima.com unknown:CCIN', 'x@far.net', 'yes', 'LOCAL bart@ima.com x@far.net'],
    // Without being local it stays closed to strangers, and open to users.
    ['far.net->LOCAL:bart@ima.com bart@ima.com', 'whoever@far.net', 'remote', 'LOCAL bart@ima.com whoever@far.net'],
    // "A particular domain or sub-domain".
    ['abc.net->BSMTPOUT:d@x.net', 'a@sub.abc.net', 'remote', 'SMTPC sub.abc.net a@sub.abc.net'],
    ['sub.abc.net->BSMTPOUT:d@x.net', 'a@sub.abc.net', 'remote', 'BSMTPOUT d@x.net a@sub.abc.net'],
    ['sub.abc.net->BSMTPOUT:d@x.net', 'a@abc.net', 'remote', 'SMTPC abc.net a@abc.net'],
    ['*.abc.net->BSMTPOUT:d@x.net', 'a@sub.abc.net', 'remote', 'BSMTPOUT d@x.net a@sub.abc.net'],
    ['*.abc.net->BSMTPOUT:d@x.net', 'a@deep.sub.abc.net', 'remote', 'BSMTPOUT d@x.net a@deep.sub.abc.net'],
    ['*.abc.net->BSMTPOUT:d@x.net', 'a@abc.net', 'remote', 'SMTPC abc.net a@abc.net'],
    ['*.abc.net->BSMTPOUT:d@x.net sub.abc.net->SMTPC', 'a@sub.abc.net', 'remote', 'SMTPC sub.abc.net a@sub.abc.net'],
    ['*.abc.net->BSMTPOUT:d@x.net *.sub.abc.net->NOTESIN:N', 'a@deep.sub.abc.net', 'remote', 'NOTESIN N a@deep.sub.abc.net'],
    ['ima.com+ *.ima.com->NOTESIN:N', 'a@music.ima.com', 'yes', 'NOTESIN N a@music.ima.com'],
    ['ima.com+ *.ima.com->NOTESIN:N', 'a@ima.com', 'unknown', '! 5.1.1'],
    // Forwarding addresses go through it like any others.
    ['ima.com a@ima.com>>a@abc.net abc.net->BSMTPOUT:d@x.net', 'a@ima.com', 'yes', 'BSMTPOUT d@x.net a@abc.net'],
  ],
  'Domain aliasing': [
    // "If jade.net is aliased to ima.com, and bart@ima.com is a valid account, mail to bart@jade.net will be delivered to bart@ima.com."
    ['ima.com jade.net=ima.com bart@ima.com', 'bart@jade.net', 'yes', 'LOCAL bart@ima.com'],
    // "If there exists homer@jade.net but no equivalent ima.com account, messages sent to homer@ima.com will go undelivered."
    ['ima.com jade.net=ima.com homer@jade.net', 'homer@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com jade.net=ima.com homer@jade.net', 'homer@jade.net', 'yes', 'LOCAL homer@jade.net'],
    // "If homer has accounts on both, messages get delivered to the account to which they were addressed."
    ['ima.com jade.net=ima.com homer@ima.com homer@jade.net', 'homer@jade.net', 'yes', 'LOCAL homer@jade.net'],
    ['ima.com jade.net=ima.com homer@ima.com homer@jade.net', 'homer@ima.com', 'yes', 'LOCAL homer@ima.com'],
    ['ima.com jade.net=ima.com homer@ima.com homer@jade.net!disabled', 'homer@jade.net', 'unknown', '! 5.2.1'],
    ['ima.com jade.net=ima.com', 'nobody@jade.net', 'unknown', '! 5.1.1'],
    ['ima.com jade.net=ima.com bart@ima.com(el.barto@ima.com)', 'el.barto@jade.net', 'yes', 'LOCAL bart@ima.com'],
    ['ima.com jade.net=ima.com s@ima.com{x@far.net}', 's@jade.net', 'yes', 'SMTPC far.net x@far.net'],
    ['ima.com jade.net=ima.com bart@ima.com', 'bart+news@jade.net', 'yes', 'LOCAL bart@ima.com bart+news@ima.com'],
    ['ima.com jade.net=ima.com bart@ima.com bart+news@jade.net', 'bart+news@jade.net', 'yes', 'LOCAL bart+news@jade.net'],
    // Several levels.
    ['ima.com b.net=ima.com a.net=b.net x@ima.com', 'x@a.net', 'yes', 'LOCAL x@ima.com'],
    ['ima.com b.net=ima.com a.net=b.net x@ima.com x@b.net', 'x@a.net', 'yes', 'LOCAL x@b.net'],
    ['a.net=b.net b.net=a.net', 'x@a.net', 'unknown', '! 5.1.1'],
    ['a.net=b.net b.net=a.net x@b.net', 'x@a.net', 'yes', 'LOCAL x@b.net'],
    ['a.net=a.net', 'x@a.net', 'unknown', '! 5.1.1'],
    // One way, and of the domain's own name alone.
    ['ima.com jade.net=ima.com bart@ima.com', 'bart@sub.jade.net', 'remote', 'SMTPC sub.jade.net bart@sub.jade.net'],
    ['ima.com jade.net=IMA.com bart@ima.com', 'bart@jade.net', 'yes', 'LOCAL bart@ima.com'],
    ['jade.net=far.net', 'x@jade.net', 'unknown', '! 5.1.1'],
    ['jade.net=not..a..domain', 'x@jade.net', 'unknown', '! 5.1.1'],
    // Forwarding of whole domains comes before, forwarding of the rest behind.
    ['ima.com jade.net=ima.com bart@ima.com jade.net->SMTPC', 'bart@jade.net', 'yes', 'SMTPC jade.net bart@jade.net'],
    ['ima.com jade.net=ima.com bart@ima.com c@ima.com jade.net->LOCAL:c@ima.com', 'bart@jade.net', 'yes', 'LOCAL bart@ima.com'],
    ['ima.com jade.net=ima.com c@ima.com jade.net->LOCAL:c@ima.com', 'nobody@jade.net', 'yes', 'LOCAL c@ima.com nobody@jade.net'],
  ],
  'Forwarding and routing addresses of a user': [
    ['ima.com a@ima.com>x@far.net', 'a@ima.com', 'yes', 'SMTPC far.net x@far.net, LOCAL a@ima.com'],
    ['ima.com a@ima.com>x@far.net>y@far.net', 'a@ima.com', 'yes', 'SMTPC far.net x@far.net, SMTPC far.net y@far.net, LOCAL a@ima.com'],
    ['ima.com a@ima.com>b@ima.com b@ima.com', 'a@ima.com', 'yes', 'LOCAL b@ima.com, LOCAL a@ima.com'],
    ['ima.com a@ima.com>a@ima.com', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com(b@ima.com)>B@ima.com', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com>nobody@ima.com', 'a@ima.com', 'yes', 'LOCAL a@ima.com, ! 5.1.1'],
    ['ima.com a@ima.com>>x@far.net', 'a@ima.com', 'yes', 'SMTPC far.net x@far.net'],
    ['ima.com a@ima.com>>x@far.net[LOCAL]', 'a@ima.com', 'yes', 'SMTPC far.net x@far.net'],
    ['ima.com a@ima.com>>b@ima.com b@ima.com', 'a@ima.com', 'yes', 'LOCAL b@ima.com'],
    ['ima.com a@ima.com>>A@ima.com', 'a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com>>b@ima.com b@ima.com>>a@ima.com', 'a@ima.com', 'unknown', '! 5.4.6'],
    ['ima.com a@ima.com>b@ima.com b@ima.com>a@ima.com', 'a@ima.com', 'yes', 'LOCAL b@ima.com, LOCAL a@ima.com'],
    ['ima.com a@ima.com>>x@far.net>y@far.net', 'a@ima.com', 'yes', 'SMTPC far.net y@far.net, SMTPC far.net x@far.net'],
    ['ima.com a@ima.com!disabled>x@far.net', 'a@ima.com', 'unknown', '! 5.2.1'],
    ['ima.com a@ima.com!nologin>>x@far.net', 'a@ima.com', 'yes', 'SMTPC far.net x@far.net'],
    ['ima.com a@ima.com>x@far.net[LOCAL::none]', 'a@ima.com', 'yes', 'SMTPC far.net x@far.net, ! 5.2.1'],
    ['ima.com a@ima.com>>nonsense@@', 'a@ima.com', 'unknown', '! 5.1.3'],
    ['ima.com a@ima.com>b@ima.com+x', 'a@ima.com', 'yes', 'LOCAL a@ima.com, ! 5.1.3'],
  ],
  'Sub-addresses': [
    ['ima.com a@ima.com', 'a+x@ima.com', 'yes', 'LOCAL a@ima.com a+x@ima.com'],
    ['ima.com a@ima.com', 'A+X@ima.com', 'yes', 'LOCAL a@ima.com a+X@ima.com'],
    ['ima.com a@ima.com a+x@ima.com', 'a+x@ima.com', 'yes', 'LOCAL a+x@ima.com'],
    ['ima.com a@ima.com', 'a+@ima.com', 'yes', 'LOCAL a@ima.com a+@ima.com'],
    ['ima.com a@ima.com', '+a@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com', 'a+x@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com a@ima.com[CCIN:p]', 'a+x@ima.com', 'yes', 'CCIN p a+x@ima.com'],
    ['ima.com a@ima.com>>b@far.net', 'a+x@ima.com', 'yes', 'SMTPC far.net b@far.net'],
    ['ima.com', 'a+x@far.net', 'remote', 'SMTPC far.net a+x@far.net'],
  ],
  'Postmaster (RFC 5321 §4.5.1)': [
    ['ima.com p@ima.com postmaster:p@ima.com', 'postmaster@ima.com', 'yes', 'LOCAL p@ima.com'],
    ['ima.com p@ima.com postmaster:p@ima.com', 'PostMaster@ima.com', 'yes', 'LOCAL p@ima.com'],
    ['domain:ima.com ima.com p@ima.com postmaster:p@ima.com', 'postmaster', 'yes', 'LOCAL p@ima.com'],
    ['ima.com+ p@ima.com postmaster:p@ima.com', 'postmaster@sub.ima.com', 'yes', 'LOCAL p@ima.com'],
    ['ima.com jade.net p@ima.com postmaster:p@ima.com postmaster@jade.net', 'postmaster@jade.net', 'yes', 'LOCAL postmaster@jade.net'],
    ['ima.com jade.net=ima.com postmaster@ima.com postmaster:postmaster@ima.com', 'postmaster@jade.net', 'yes', 'LOCAL postmaster@ima.com'],
    ['ima.com postmaster:ops@far.net', 'postmaster@ima.com', 'yes', 'SMTPC far.net ops@far.net'],
    ['ima.com postmaster:gone@ima.com', 'postmaster@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com p@ima.com postmaster:p@ima.com', 'postmaster@far.net', 'remote', 'SMTPC far.net postmaster@far.net'],
    ['ima.com p@ima.com postmaster:p@ima.com', 'abuse@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com p@ima.com postmaster:p@ima.com unknown:CCIN', 'postmaster@ima.com', 'yes', 'LOCAL p@ima.com'],
  ],
  'Nobody is reached through another name (RFC 5321 §3.6.1, Appendix C)': [
    ['ima.com', 'a%far.net@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com', 'far.net!a@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com', '"a@far.net"@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com', '"a%far.net"@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com a@ima.com', '@ima.com:a@far.net', 'remote', 'SMTPC far.net a@far.net'],
    ['ima.com a@ima.com', '@one.net,@two.net:a@ima.com', 'yes', 'LOCAL a@ima.com'],
    ['ima.com a@ima.com', '@one.net@ima.com', 'unknown', '! 5.1.1'],
    ['ima.com unknown:SMTPC', 'a%far.net@ima.com', 'yes', 'SMTPC ima.com a%far.net@ima.com'],
    ['ima.com a%b@ima.com', 'a%b@ima.com', 'yes', 'LOCAL a%b@ima.com'],
  ],
  'No addresses': [
    ['ima.com', '', 'unknown', '! 5.1.3'],
    ['ima.com', '@', 'unknown', '! 5.1.3'],
    ['ima.com', '@ima.com', 'unknown', '! 5.1.3'],
    ['ima.com', 'a@', 'unknown', '! 5.1.3'],
    ['ima.com', 'a@ima..com', 'unknown', '! 5.1.3'],
    ['ima.com', 'a@.ima.com', 'unknown', '! 5.1.3'],
    ['ima.com', 'a@ima.com..', 'unknown', '! 5.1.3'],
    ['ima.com', 'a@ima.com\0', 'unknown', '! 5.1.3'],
    ['ima.com', 'a\r\nb@ima.com', 'unknown', '! 5.1.3'],
    ['ima.com', `a@${'b'.repeat(64)}.com`, 'unknown', '! 5.1.3'],
    ['ima.com', `a@${'b.'.repeat(150)}com`, 'unknown', '! 5.1.3'],
    ['ima.com', 'a@*.ima.com', 'unknown', '! 5.1.3'],
  ],
};

const rows = Object.entries(chapters).flatMap(([chapter, cases]) => cases.map((row) => [chapter, ...row] as const));

test('there are cases for every chapter', () => {
  expect(rows.length).toBeGreaterThan(150);
});

describe.each(Object.entries(chapters))('%s', (_, cases) => {
  test.each(cases)('%s / %j is %s: %s', async (state, address, verdict, expected) => {
    const router = createRouter({ dit: directoryOf(state) });
    const routing = await router.route(address, { inputChannel: 'SMTPD' });
    expect(shown(routing)).toBe(expected);
    expect(await router.acceptable(address)).toBe(verdict);
    // What the rules that do not apply say changes nothing.
    const explained = await router.route(address, { inputChannel: 'SMTPD', whyNot: true });
    expect({ ...explained, steps: explained.steps.filter(({ applied }) => applied) }).toEqual(routing);
  });
});
